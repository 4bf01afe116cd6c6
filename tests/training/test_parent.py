"""A model that starts from another: its weights, its classes, and no surer of itself than that one."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import keras
import numpy as np
import pytest

from drawn_dataset import write_dataset
from hilum.dataset.importer import import_dataset
from hilum.dataset.labels import LabelScheme
from hilum.errors import BundleInvalid
from hilum.inference.bundle import open_bundle
from hilum.inference.calibration import calibrated_probabilities
from hilum.training.parent import Parent, matched_temperature
from hilum.training.pipeline import train
from hilum.training.training_settings import TrainingSettings
from hilum.training.watch import Watch


class Interruption(Exception):
    """Stands for a cancel."""


def silent(stage: str, share: float, words: str) -> None: ...


@pytest.fixture
def more(phantom_dataset: Path, tmp_path: Path) -> Path:
    """The parent's data set with five more slices of each class."""
    names = ("adenocarcinoma", "large.cell.carcinoma", "normal", "squamous.cell.carcinoma")
    root = write_dataset(tmp_path / "more", {"train": dict.fromkeys(names, 5)}, seed=500)
    for path in sorted(phantom_dataset.rglob("*.png")):
        target = root / path.relative_to(phantom_dataset)
        target = target.with_name(f"first-{target.name}")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(path.read_bytes())
    return root


def _backbone(bundle: Path) -> list[np.ndarray]:
    classifier = keras.models.load_model(bundle / "model.keras", compile=False)
    return [weight for layer in classifier.layers if layer.name != "head" for weight in layer.get_weights()]


def test_a_new_head_sits_on_the_parents_backbone_and_is_no_surer_than_the_parent(parent: Path, more: Path) -> None:
    epochs: list[tuple[str, Mapping[str, float]]] = []
    beats: list[tuple[str, float]] = []
    watch = Watch(on_epoch=lambda *said: epochs.append(said), on_batch=lambda *said: beats.append(said))
    out = train(
        import_dataset(more),
        more.with_name("second"),
        TrainingSettings(mode="head", parent=parent, epochs=30),
        silent,
        watch=watch,
    )
    first, second = open_bundle(parent).manifest, open_bundle(out).manifest
    assert second.training["parent"] == first.model_version
    assert second.preprocessing == first.preprocessing
    assert second.training["slices"] == 28 + 20
    for mine, theirs in zip(_backbone(out), _backbone(parent), strict=True):
        np.testing.assert_array_equal(mine, theirs)
    assert second.confident_above == first.confident_above
    assert {stage for stage, _ in epochs} == {"fit", "refit"}
    assert all({"epoch", "loss", "accuracy", "val_loss"} <= row.keys() for stage, row in epochs if stage == "fit")
    shares = [share for stage, share in beats if stage == "features"]
    assert shares == sorted(shares)
    assert shares[-1] == 1

    record = json.loads((out / "training.json").read_text())
    history = Parent.open(parent)
    held = [digest for digest in record["trained_on_sha256"] if digest in history.known]
    assert len(held) == 28


def test_every_weight_moves_in_full_mode_and_a_new_class_gets_a_head(parent: Path, tmp_path: Path) -> None:
    counts = {"adenocarcinoma": 6, "hamartoma": 6, "normal": 6}
    data = import_dataset(write_dataset(tmp_path / "others", {"train": counts}, seed=900))
    out = train(data, tmp_path / "third", TrainingSettings(mode="full", parent=parent, epochs=2), silent)
    assert open_bundle(out).manifest.class_names == ("adenocarcinoma", "hamartoma", "normal")
    pairs = zip(_backbone(out), _backbone(parent), strict=True)
    assert any(not np.array_equal(mine, theirs) for mine, theirs in pairs)


def test_classes_the_model_does_not_have_are_left_out_when_told_so(parent: Path, more: Path) -> None:
    names = open_bundle(parent).manifest.class_names
    (more / "train" / "hamartoma").mkdir()
    write_dataset(more.with_name("other"), {"train": {"hamartoma": 5}}, seed=950)
    for path in more.with_name("other").rglob("*.png"):
        path.rename(more / "train" / "hamartoma" / path.name)
    scheme = LabelScheme.of(names, ignored=("hamartoma",))
    settings = TrainingSettings(mode="head", parent=parent, epochs=2)
    out = train(import_dataset(more), more.with_name("fourth"), settings, silent, scheme=scheme)
    assert open_bundle(out).manifest.class_names == names


def test_what_a_watcher_raises_ends_the_training(parent: Path, more: Path) -> None:
    def end(stage: str, share: float) -> None:
        raise Interruption

    for mode in ("head", "full"):
        out = more.with_name(f"ended-{mode}")
        settings = TrainingSettings(mode=mode, parent=parent, epochs=2)
        with pytest.raises(Interruption):
            train(import_dataset(more), out, settings, silent, watch=Watch(on_batch=end))
        assert not out.exists()


def test_a_bundle_without_a_keras_model_is_no_parent(tiny_bundle: Path) -> None:
    with pytest.raises(BundleInvalid, match=r"model\.keras"):
        Parent.open(tiny_bundle)


@pytest.mark.parametrize("scale", [1.0, 4.0, 30.0])
def test_the_temperature_makes_it_as_sure_as_it_may_be(scale: float) -> None:
    logits = np.random.default_rng(3).normal(0, scale, (400, 4)).astype(np.float32)
    temperature = matched_temperature(logits, 0.8)
    sure = calibrated_probabilities(logits, temperature).max(axis=1).mean()
    assert temperature >= 1
    if temperature > 1:
        assert sure == pytest.approx(0.8, abs=1e-3)
    else:
        assert sure <= 0.8


def test_confidence_is_matched_on_slices_the_two_learnt(
    parent: Path, phantom_dataset: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("hilum.training.parent._FEWEST_KNOWN", 10)
    settings = TrainingSettings(mode="head", parent=parent, epochs=40)
    out = train(import_dataset(phantom_dataset), tmp_path / "again", settings, silent)
    first, second = open_bundle(parent), open_bundle(out)
    tensors = _tensors(phantom_dataset, second.manifest)
    sure = []
    for bundle in (first, second):
        classifier = keras.models.load_model(bundle.directory / "model.keras", compile=False)
        logits = classifier.predict(tensors, verbose=0)
        sure.append(calibrated_probabilities(logits, bundle.manifest.temperature).max(axis=1).mean())
    assert sure[1] <= sure[0] + 1e-3


def test_a_slice_that_was_written_anew_counts_as_learnt(parent: Path, phantom_dataset: Path, tmp_path: Path) -> None:
    first = Parent.open(parent)
    tensors = _tensors(phantom_dataset, first.manifest)
    other = write_dataset(tmp_path / "other", {"train": {"normal": 6}}, seed=1200)
    assert first.recognised(["0" * 64] * 28, first.answers(tensors)[0]).all()
    assert first.recognised(["0" * 64] * 6, first.answers(_tensors(other, first.manifest))[0]).mean() < 0.5


def _tensors(root: Path, manifest: object) -> np.ndarray:
    from hilum.imaging.decode import decode
    from hilum.imaging.preprocess import preprocess

    files = sorted((root / "train").rglob("*.png"))
    return np.stack([preprocess(decode(path.read_bytes()).pixels, manifest.preprocessing) for path in files])  # type: ignore[attr-defined]
