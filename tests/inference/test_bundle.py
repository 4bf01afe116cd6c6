"""A bundle opens only when it is whole and answers as on the day it was made."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from hilum.errors import BundleInvalid
from hilum.inference.bundle import add_to_bundle, file_digest, open_bundle
from hilum.inference.predictor import Predictor

GRAPH, SECOND = "model.onnx", "model.second.onnx"


@pytest.fixture
def bundle(tiny_bundle: Path, tmp_path: Path) -> Path:
    """A copy that a test may damage."""
    return shutil.copytree(tiny_bundle, tmp_path / "bundle")


def edit_manifest(bundle: Path, edit: Callable[[dict[str, Any]], object]) -> None:
    path = bundle / "manifest.json"
    manifest = json.loads(path.read_text())
    edit(manifest)
    path.write_text(json.dumps(manifest))


def release(bundle: Path, *names: str) -> None:
    """Lists the hashes that the files have now."""
    edit_manifest(bundle, lambda m: m["files"].update({name: file_digest(bundle / name) for name in names}))


def add_second_graph(bundle: Path) -> None:
    """The same graph again, to be served where the first one fails."""
    shutil.copy(bundle / GRAPH, bundle / SECOND)
    edit_manifest(bundle, lambda m: m["golden"].update({SECOND: m["golden"][GRAPH]}))
    edit_manifest(bundle, lambda m: m.update(engine_files=[GRAPH, SECOND]))
    release(bundle, SECOND)


def change_weights(graph: Path, share: float) -> None:
    model = onnx.load(graph)
    weights = model.graph.initializer[0]
    changed = numpy_helper.to_array(weights).copy()
    changed[0] += share * np.abs(changed).max()
    weights.CopyFrom(numpy_helper.from_array(changed, weights.name))
    onnx.save(model, graph)


def test_a_whole_bundle_opens_and_loads(bundle: Path) -> None:
    opened = open_bundle(bundle)
    assert opened.manifest.model_version == "tiny-20260101-00000000"
    output = opened.load_engine(threads=1).run(np.zeros((3, 64, 64, 1), np.float32))
    assert output.logits.shape == (3, 4)
    assert output.activation_maps.shape == (3, 8, 8, 4)


def test_no_bundle_at_all_is_said_to_be_none(tmp_path: Path) -> None:
    with pytest.raises(BundleInvalid, match=r"no model bundle in '.*nowhere'.*manifest\.json"):
        open_bundle(tmp_path / "nowhere")


def test_a_file_given_for_the_folder_is_refused(bundle: Path) -> None:
    with pytest.raises(BundleInvalid, match="cannot be read"):
        open_bundle(bundle / GRAPH)


def test_a_folder_in_the_manifests_place_is_refused(bundle: Path) -> None:
    (bundle / "manifest.json").unlink()
    (bundle / "manifest.json").mkdir()
    with pytest.raises(BundleInvalid, match="cannot be read"):
        open_bundle(bundle)


def test_a_missing_file_is_refused_by_name(bundle: Path) -> None:
    (bundle / GRAPH).unlink()
    with pytest.raises(BundleInvalid, match=r"'model\.onnx'.*missing"):
        open_bundle(bundle)


def test_one_altered_bit_is_refused(bundle: Path) -> None:
    data = bytearray((bundle / GRAPH).read_bytes())
    data[len(data) // 2] ^= 1
    (bundle / GRAPH).write_bytes(data)
    with pytest.raises(BundleInvalid, match=r"'model\.onnx'.*damaged.*sha256"):
        open_bundle(bundle)


def test_a_link_is_refused_even_to_the_right_bytes(bundle: Path, tmp_path: Path) -> None:
    shutil.move(bundle / GRAPH, tmp_path / "elsewhere.onnx")
    (bundle / GRAPH).symlink_to(tmp_path / "elsewhere.onnx")
    with pytest.raises(BundleInvalid, match="not a plain file"):
        open_bundle(bundle)


@pytest.mark.parametrize("name", ["../outside.onnx", "sub/inside.onnx", "{absolute}", "..", ".", ""])
def test_a_name_that_leaves_the_folder_is_refused(bundle: Path, tmp_path: Path, name: str) -> None:
    for place in (tmp_path / "outside.onnx", bundle / "sub" / "inside.onnx"):
        place.parent.mkdir(exist_ok=True)
        shutil.copy(bundle / GRAPH, place)
    name = name.format(absolute=tmp_path / "outside.onnx")
    edit_manifest(bundle, lambda m: m["files"].update({name: file_digest(bundle / GRAPH)}))
    with pytest.raises(BundleInvalid, match="missing or not a plain file"):
        open_bundle(bundle)


def test_a_graph_without_a_hash_is_refused(bundle: Path) -> None:
    edit_manifest(bundle, lambda m: m["files"].clear())
    with pytest.raises(BundleInvalid, match="no hash or no golden"):
        open_bundle(bundle)


@pytest.mark.parametrize("golden", [{}, {GRAPH: []}])
def test_a_graph_without_a_golden_prediction_is_refused(bundle: Path, golden: dict[str, list[Any]]) -> None:
    edit_manifest(bundle, lambda m: m.update(golden=golden))
    with pytest.raises(BundleInvalid, match="no hash or no golden"):
        open_bundle(bundle)


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '{"schema_version": 1}', "\x00\xff"])
def test_a_manifest_that_is_none_is_refused(bundle: Path, text: str) -> None:
    (bundle / "manifest.json").write_bytes(text.encode("latin-1"))
    with pytest.raises(BundleInvalid, match="malformed") as refusal:
        open_bundle(bundle)
    assert "\n" not in refusal.value.detail


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("schema_version", 2),
        ("temperature", 0),
        ("temperature", "NaN"),
        ("confident_above", 1.5),
        ("engine_files", []),
        ("class_names", ["normal"]),
        ("class_names", ["a", "a", "b", "c"]),
        ("class_names", ["a", "b", "c", "d", "e"]),
        ("cancer_class_names", ["melanoma"]),
        ("preprocessing", {"side": 3}),
        ("surprise", "an unknown field"),
    ],
)
def test_a_manifest_that_makes_no_sense_is_refused(bundle: Path, field: str, value: object) -> None:
    edit_manifest(bundle, lambda m: m.update({field: value}))
    with pytest.raises(BundleInvalid, match="malformed"):
        open_bundle(bundle)


def test_a_graph_with_another_number_of_classes_is_refused(bundle: Path) -> None:
    def add_class(manifest: dict[str, Any]) -> None:
        manifest["class_names"].append("benign")
        for golden in manifest["golden"][GRAPH]:
            golden["probabilities"].append(0.0)

    edit_manifest(bundle, add_class)
    with pytest.raises(BundleInvalid, match="4 outputs"):
        open_bundle(bundle).load_engine(threads=1)


def test_a_graph_that_answers_differently_is_refused(bundle: Path) -> None:
    change_weights(bundle / GRAPH, 2.0)
    release(bundle, GRAPH)
    with pytest.raises(BundleInvalid, match=r"golden phantom 1 .* restore the bundle"):
        open_bundle(bundle).load_engine(threads=1)


def test_another_processors_rounding_is_forgiven(bundle: Path) -> None:
    change_weights(bundle / GRAPH, 1e-4)
    release(bundle, GRAPH)
    assert open_bundle(bundle).load_engine(threads=1)


def test_a_graph_that_answers_nan_is_refused(bundle: Path) -> None:
    change_weights(bundle / GRAPH, float("nan"))
    release(bundle, GRAPH)
    with pytest.raises(BundleInvalid, match="golden phantom"):
        open_bundle(bundle).load_engine(threads=1)


@pytest.mark.parametrize("share", [0.0, 0.5, 0.98])
def test_a_truncated_graph_is_refused_although_its_hash_is_right(bundle: Path, share: float) -> None:
    data = (bundle / GRAPH).read_bytes()
    (bundle / GRAPH).write_bytes(data[: int(share * len(data))])
    release(bundle, GRAPH)
    with pytest.raises(BundleInvalid, match=r"model\.onnx"):
        open_bundle(bundle).load_engine(threads=1)


def test_a_graph_with_other_outputs_is_refused(bundle: Path) -> None:
    model = onnx.load(bundle / GRAPH)
    del model.graph.output[1]
    onnx.save(model, bundle / GRAPH)
    release(bundle, GRAPH)
    with pytest.raises(BundleInvalid, match="cannot be run"):
        open_bundle(bundle).load_engine(threads=1)


@pytest.mark.parametrize("fault", ["answers differently", "cannot be loaded"])
def test_the_second_graph_serves_where_the_first_fails(
    bundle: Path, tiny_bundle: Path, slice_png: bytes, fault: str
) -> None:
    add_second_graph(bundle)
    if fault == "answers differently":
        change_weights(bundle / GRAPH, 2.0)
    else:
        (bundle / GRAPH).write_bytes(b"not a graph")
    release(bundle, GRAPH)
    answer = Predictor.load(bundle).predict(slice_png)
    assert answer.probabilities == Predictor.load(tiny_bundle).predict(slice_png).probabilities


def test_when_both_graphs_fail_the_refusal_names_both(bundle: Path) -> None:
    add_second_graph(bundle)
    for graph in (GRAPH, SECOND):
        change_weights(bundle / graph, 2.0)
    release(bundle, GRAPH, SECOND)
    with pytest.raises(BundleInvalid) as refusal:
        open_bundle(bundle).load_engine(threads=1)
    assert GRAPH in refusal.value.detail
    assert SECOND in refusal.value.detail


def test_added_files_are_verified_from_then_on(bundle: Path) -> None:
    card = bundle / "card.md"
    card.write_text("# A card\n")
    add_to_bundle(bundle, [card, bundle / "metrics.json"])
    assert set(open_bundle(bundle).manifest.files) == {"card.md", "metrics.json", GRAPH}
    card.write_text("# Another card\n")
    with pytest.raises(BundleInvalid, match=r"card\.md"):
        open_bundle(bundle)


def test_adding_a_file_again_renews_its_hash(bundle: Path) -> None:
    card = bundle / "card.md"
    for text in ("first", "second"):
        card.write_text(text)
        add_to_bundle(bundle, [card])
    assert open_bundle(bundle).manifest.files["card.md"] == file_digest(card)


def test_adding_does_not_vouch_for_a_damaged_graph(bundle: Path) -> None:
    (bundle / GRAPH).write_bytes(b"damaged")
    before = (bundle / "manifest.json").read_bytes()
    (bundle / "card.md").write_text("# A card\n")
    with pytest.raises(BundleInvalid, match="damaged"):
        add_to_bundle(bundle, [bundle / "card.md"])
    assert (bundle / "manifest.json").read_bytes() == before
