"""A new head on a champion's graphs: the backbone stays, Keras agrees, and only new slices are computed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import keras
import numpy as np
import onnx
import pytest

from drawn_dataset import write_dataset
from hilum.dataset.importer import import_dataset
from hilum.errors import BundleInvalid, TrainingFailed
from hilum.inference.bundle import open_bundle
from hilum.inference.engines import OnnxEngine
from hilum.inference.neighbours import NEIGHBOURS
from hilum.training.export import quantise
from hilum.training.graph_head import Backbone, head_of
from hilum.training.linear_head import LinearHead
from hilum.training.renewal import Renewal, renew_head
from hilum.training.slice_features import FrozenGraphs
from hilum.training.watch import Watch

NAMES = ("adenocarcinoma", "large.cell.carcinoma", "normal", "squamous.cell.carcinoma")


class Interruption(Exception):
    """Stands for a cancel."""


def silent(stage: str, share: float, words: str) -> None: ...


@pytest.fixture(scope="module")
def renewed(parent: Path, phantom_dataset: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle with the parent's backbone and a new head; features are kept beside it."""
    folder = tmp_path_factory.mktemp("renewed")
    manifest = import_dataset(phantom_dataset)
    return renew_head(manifest, folder / "second", Renewal.of(parent), silent, kept_in=folder / "features", epochs=8)


def _outputs(bundle: Path, file: str, tensors: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    said = OnnxEngine(bundle / file).run(tensors)
    assert said.features is not None
    return said.logits, said.activation_maps, said.features


def _tensors(bundle: Path) -> np.ndarray:
    side = open_bundle(bundle).manifest.preprocessing.side
    return np.random.default_rng(0).random((5, side, side, 1), dtype=np.float32)


def test_a_graph_with_its_own_head_put_back_answers_as_before(parent: Path, tmp_path: Path) -> None:
    tensors, head = _tensors(parent), head_of(parent / "model.onnx")
    eight_bits = tmp_path / "model.int8.onnx"
    quantise(parent / "model.onnx", eight_bits, tensors)
    for file, tolerance in ((parent / "model.onnx", 1e-5), (eight_bits, 0.1)):
        Backbone.of(file).with_head(head, tmp_path / "again.onnx")
        before, after = (_outputs(one.parent, one.name, tensors) for one in (file, tmp_path / "again.onnx"))
        for old, new in zip(before, after, strict=True):
            np.testing.assert_allclose(new, old, atol=tolerance * np.abs(old).max())


def test_a_head_decides_the_logits_and_the_mean_of_the_maps(parent: Path, tmp_path: Path) -> None:
    tensors = _tensors(parent)
    backbone, old = Backbone.of(parent / "model.onnx"), head_of(parent / "model.onnx")
    head = LinearHead(old.kernel[:, ::-1] * 2, old.bias + 1)
    backbone.with_head(head, tmp_path / "model.onnx")
    logits, maps, features = _outputs(tmp_path, "model.onnx", tensors)
    np.testing.assert_allclose(logits, head.logits(features), atol=1e-4)
    np.testing.assert_allclose(maps.mean(axis=(1, 2)), logits, atol=1e-4)
    assert Backbone.of(tmp_path / "model.onnx").digest == backbone.digest
    np.testing.assert_array_equal(head_of(tmp_path / "model.onnx").kernel, head.kernel)


def test_a_graph_without_a_linear_head_is_refused(parent: Path, tmp_path: Path) -> None:
    model = onnx.load(parent / "model.onnx")
    for node in model.graph.node:
        for index, name in enumerate(node.output):
            if name == "activation_maps":
                node.output[index] = "before"
    model.graph.node.append(onnx.helper.make_node("Sigmoid", ["before"], ["activation_maps"]))
    onnx.save(model, tmp_path / "odd.onnx")
    with pytest.raises(TrainingFailed, match="full training"):
        Backbone.of(tmp_path / "odd.onnx")


def test_a_bundle_without_a_keras_model_cannot_be_renewed(tiny_bundle: Path) -> None:
    with pytest.raises(BundleInvalid, match=r"model\.keras"):
        Renewal.of(tiny_bundle)


def test_the_backbone_stays_and_keras_agrees(parent: Path, renewed: Path) -> None:
    first, second = open_bundle(parent).manifest, open_bundle(renewed).manifest
    assert second.model_version != first.model_version
    assert second.training["parent"] == first.model_version
    assert second.preprocessing == first.preprocessing
    assert second.confident_above == first.confident_above
    assert second.parity["model.onnx"].max_probability_difference < 1e-3
    old, new = (keras.models.load_model(one / "model.keras", compile=False) for one in (parent, renewed))
    for mine, theirs in zip(new.layers, old.layers, strict=True):
        for a, b in zip(mine.get_weights(), theirs.get_weights(), strict=True):
            assert np.array_equal(a, b) == (mine.name != "head")
    tensors = _tensors(renewed)
    expected = new.predict(tensors, verbose=0)
    np.testing.assert_allclose(_outputs(renewed, "model.onnx", tensors)[0], expected, atol=1e-3)


def test_the_bundle_serves_and_knows_its_slices(renewed: Path, phantom_dataset: Path) -> None:
    bundle = open_bundle(renewed)
    engine = bundle.load_engine(threads=1)
    neighbours = bundle.load_neighbours(engine)
    assert neighbours is not None
    assert len(neighbours) == 28
    assert not any(neighbours.names)
    learnt = json.loads((renewed / "training.json").read_text())
    manifest = import_dataset(phantom_dataset)
    tested = {record.sha256 for record in manifest.of_split("test")}
    assert len(learnt["trained_on_sha256"]) == 28
    assert not tested & set(learnt["trained_on_sha256"])
    assert {"epoch", "loss", "accuracy", "val_loss", "val_accuracy"} <= learnt["training_history"][0].keys()
    assert NEIGHBOURS in bundle.manifest.files


def test_only_new_slices_are_computed(
    renewed: Path, phantom_dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    more = write_dataset(tmp_path / "more", {"train": dict.fromkeys(NAMES, 2)}, seed=700)
    for path in sorted(phantom_dataset.rglob("*.png")):
        target = more / path.relative_to(phantom_dataset)
        target = target.with_name(f"first-{target.name}")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(path.read_bytes())
    taken: list[str] = []
    take = FrozenGraphs.take

    def count(self: FrozenGraphs, item: object) -> object:
        taken.append(item.record.sha256)  # type: ignore[attr-defined]
        return take(self, item)  # type: ignore[arg-type]

    monkeypatch.setattr(FrozenGraphs, "take", count)
    kept_in = renewed.parent / "features"
    files = sorted(kept_in.rglob("*.npz"))
    assert len(files) == 28
    files[0].write_bytes(b"damaged")
    renewal = Renewal.of(renewed)
    epochs: list[tuple[str, Mapping[str, float]]] = []
    rests: list[float] = []
    watch = Watch(on_epoch=lambda *said: epochs.append(said), rest=rests.append)
    renew_head(import_dataset(more), tmp_path / "third", renewal, silent, kept_in=kept_in, epochs=2, watch=watch)
    assert len(taken) == 8 + 1, "the new slices, and the one whose file was damaged"
    assert len(rests) == len(taken), "what was computed is followed by a rest, what was kept is not"
    assert min(rests) > 0
    assert {stage for stage, _ in epochs} == {"fit", "refit"}
    known = renewal.served_features(kept_in, [*taken, "0" * 64])
    assert set(known) == set(taken)
    few = write_dataset(tmp_path / "few", {"train": dict.fromkeys(NAMES, 5)}, seed=800)
    renew_head(import_dataset(few), tmp_path / "fourth", renewal, silent, kept_in=kept_in, epochs=1)
    assert len(list(kept_in.rglob("*.npz"))) == 20, "of images that are gone nothing is kept"


def test_what_a_watcher_raises_ends_it(parent: Path, phantom_dataset: Path, tmp_path: Path) -> None:
    def end(stage: str, share: float) -> None:
        raise Interruption

    manifest, kept_in = import_dataset(phantom_dataset), tmp_path / "features"
    with pytest.raises(Interruption):
        renew_head(manifest, tmp_path / "out", Renewal.of(parent), silent, kept_in=kept_in, watch=Watch(on_batch=end))
    assert not (tmp_path / "out").exists()
