"""The gate lets through what is shown not to be worse, and nothing else."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

import cv2
import onnx
import pytest

from gated_bundle import gated_copy
from hilum.dataset.manifest import DatasetManifest, ImageRecord, Split
from hilum.errors import BundleInvalid
from hilum.evaluation import PairedTest
from hilum.imaging.phantoms import draw_phantom
from hilum.inference.bundle import HISTORY, MANIFEST, add_to_bundle
from hilum.inference.manifest import Manifest, Parity
from hilum.inference.predictor import Predictor
from hilum.services.promotion import Comparison, GateRules, compare_bundles
from tiny_bundle import GRAPH, write_tiny_bundle

PARITY = {GRAPH: Parity(n=10, max_probability_difference=1e-5, agreement=1.0)}


def changed(folder: Path, **fields: Any) -> Path:
    """Rewrites a bundle's manifest."""
    manifest = Manifest.model_validate_json((folder / MANIFEST).read_bytes())
    (folder / MANIFEST).write_text(manifest.model_copy(update=fields).model_dump_json())
    return folder


@pytest.fixture(scope="session")
def champion(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle that says how its graph compares with Keras."""
    return changed(
        write_tiny_bundle(tmp_path_factory.mktemp("gate") / "champion", version="old", seed=203), parity=PARITY
    )


@pytest.fixture(scope="session")
def dataset(champion: Path, tmp_path_factory: pytest.TempPathFactory) -> DatasetManifest:
    """Phantoms whose label is what the champion says, so that it is always right; 30 to learn from, 60 to test on."""
    root = tmp_path_factory.mktemp("phantoms")
    predictor = Predictor.load(champion)
    records = []
    for seed in range(90):
        data = cv2.imencode(".png", draw_phantom(seed + 100))[1].tobytes()
        split: Split = "train" if seed < 30 else "test"
        (root / f"{seed}.png").write_bytes(data)
        records.append(
            ImageRecord(
                path=f"{seed}.png", sha256=hashlib.sha256(data).hexdigest(), split=split, group=f"patient-{seed // 2}",
                class_name=predictor.predict(data).predicted_class, source="upload" if seed % 3 else "import",
                file_format="png", width=512, height=512, mode="L", size_bytes=len(data),
            )
        )  # fmt: skip
    names = tuple(sorted({record.class_name for record in records}))
    assert len(names) > 1
    return DatasetManifest(root=root, source="labelled-images", class_names=names, records=tuple(records))


def challenger(champion: Path, folder: Path, **fields: Any) -> Path:
    """A copy of the champion under a name of its own, otherwise changed as said."""
    return changed(shutil.copytree(champion, folder / "challenger"), model_version="new", **fields)


def failed(found: Comparison) -> set[str]:
    """Names of the checks that were not passed."""
    assert found.verdict == ("refuse" if any(not check.passed for check in found.checks) else "promote")
    return {check.name for check in found.checks if not check.passed}


def test_a_model_that_answers_alike_is_let_through(champion: Path, dataset: DatasetManifest, tmp_path: Path) -> None:
    done: list[float] = []
    found = compare_bundles(champion, challenger(champion, tmp_path), dataset, progress=done.append)

    assert failed(found) == set()
    assert found.verdict == "promote"
    assert (found.n, found.flipped, found.mcnemar.p_value) == (60, (), 1.0)
    assert {row["source"]: (row["a"], row["b"], row["n"]) for row in found.by_source} == {
        "import": (1.0, 1.0, 20), "upload": (1.0, 1.0, 40),
    }  # fmt: skip
    assert {"accuracy", "calibration", "log-loss", "mcnemar", "new-labels", "not-a-chest-ct", "latency", "size",
            "parity", "source:import", "source:upload"} <= {check.name for check in found.checks}  # fmt: skip
    assert done == sorted(done)
    assert done[-1] == 1.0
    json.dumps(found.to_dict(), allow_nan=False)


def test_a_worse_model_is_refused_and_every_flipped_image_is_named(
    champion: Path, dataset: DatasetManifest, tmp_path: Path
) -> None:
    worse = changed(write_tiny_bundle(tmp_path / "worse", version="new", seed=297), parity=PARITY)
    predictor = Predictor.load(worse)
    test = [record for record in dataset.records if record.split == "test"]
    said = {record.sha256: predictor.predict((dataset.root / record.path).read_bytes()) for record in test}
    ids = {test[0].sha256: "image-1"}

    found = compare_bundles(champion, worse, dataset, image_ids=ids)

    assert {"accuracy", "mcnemar", "log-loss"} <= failed(found)
    assert any(name.startswith("recall:") for name in failed(found))
    expected = {
        record.sha256: (record.class_name, said[record.sha256].predicted_class)
        for record in test
        if said[record.sha256].predicted_class != record.class_name
    }
    assert {row["sha256"]: (row["true_class"], row["challenger_class"]) for row in found.flipped} == expected
    assert all(row["champion_class"] == row["true_class"] for row in found.flipped)
    assert found.mcnemar.only_a == len(expected)
    assert [row["image_id"] for row in found.flipped if row["sha256"] in ids] in ([], ["image-1"])


def test_new_labels_are_measured_by_the_champions_errors_whatever_the_challenger_says(
    champion: Path, dataset: DatasetManifest, tmp_path: Path
) -> None:
    worse = changed(write_tiny_bundle(tmp_path / "worse", version="new", seed=297), parity=PARITY)
    found = [compare_bundles(champion, new, dataset) for new in (challenger(champion, tmp_path), worse)]
    first, second = (next(check for check in one.checks if check.name == "new-labels") for one in found)
    assert first == second


def test_a_slower_model_is_refused_by_its_own_time(
    champion: Path, dataset: DatasetManifest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hilum.services.promotion.milliseconds_per_slice", lambda *_: [1.0, 30.0])
    found = compare_bundles(champion, challenger(champion, tmp_path), dataset)
    (latency,) = (check for check in found.checks if check.name == "latency")
    assert (latency.champion, latency.challenger, failed(found)) == (1.0, 30.0, {"latency"})


def test_wrong_labels_of_new_images_are_refused_and_named(
    champion: Path, dataset: DatasetManifest, tmp_path: Path
) -> None:
    names = dataset.class_names
    wrong = {record.sha256 for record in dataset.records[:30:3]}
    records = tuple(
        record.model_copy(update={"class_name": names[(names.index(record.class_name) + 1) % len(names)]})
        if record.sha256 in wrong
        else record
        for record in dataset.records
    )
    found = compare_bundles(champion, challenger(champion, tmp_path), dataset.model_copy(update={"records": records}))
    assert "new-labels" in failed(found)
    assert {row["sha256"] for row in found.suspects} & wrong
    assert all(row["looks_like"] != row["class_name"] for row in found.suspects)


def test_images_that_the_champion_learnt_are_not_new(champion: Path, dataset: DatasetManifest, tmp_path: Path) -> None:
    knowing = shutil.copytree(champion, tmp_path / "knowing")
    learnt = [record.sha256 for record in dataset.records if record.split == "train"]
    (knowing / HISTORY).write_text(json.dumps({"trained_on_sha256": learnt}))
    add_to_bundle(knowing, [knowing / HISTORY])
    found = compare_bundles(knowing, challenger(champion, tmp_path), dataset)
    (check,) = (check for check in found.checks if check.name == "new-labels")
    assert check.passed
    assert "fewer than 20 new images" in check.detail


def test_new_images_are_judged_by_what_the_champion_learnt(
    champion: Path, dataset: DatasetManifest, tmp_path: Path
) -> None:
    knowing = shutil.copytree(champion, tmp_path / "knowing")
    learnt, fresh = dataset.records[:20], dataset.records[20:30]
    (knowing / HISTORY).write_text(json.dumps({"trained_on_sha256": [record.sha256 for record in learnt]}))
    add_to_bundle(knowing, [knowing / HISTORY])
    names = dataset.class_names
    mislabelled = [
        record.model_copy(update={"class_name": names[(names.index(record.class_name) + 1) % len(names)]})
        for record in fresh
    ]
    records = (*learnt, *mislabelled, *dataset.records[30:])
    found = compare_bundles(
        knowing, challenger(champion, tmp_path), dataset.model_copy(update={"records": records}),
        rules=GateRules(least_new=10),
    )  # fmt: skip
    right = {record.sha256: record.class_name for record in fresh}
    said = {row["sha256"]: row["looks_like"] for row in found.suspects}
    assert len(said) >= 8
    assert said.items() <= right.items()
    assert "new-labels" in failed(found)


@pytest.mark.parametrize(("groups", "is_judged"), [(1, False), (2, True)])
def test_new_images_of_one_patient_cannot_be_judged_by_each_other(
    champion: Path, dataset: DatasetManifest, tmp_path: Path, groups: int, is_judged: bool
) -> None:
    records = [
        record.model_copy(update={"group": f"new-{row % groups}"}) if row < 30 else record
        for row, record in enumerate(dataset.records)
    ]
    found = compare_bundles(
        champion, challenger(champion, tmp_path), dataset.model_copy(update={"records": tuple(records)})
    )
    (check,) = (check for check in found.checks if check.name == "new-labels")
    assert (check.challenger is not None) == is_judged
    assert isinstance(found.suspects, tuple)


def test_a_gate_that_refuses_more_is_told_by_the_images_it_refuses(
    champion: Path, dataset: DatasetManifest, tmp_path: Path
) -> None:
    old = gated_copy(champion, tmp_path / "old")
    new = changed(
        gated_copy(champion, tmp_path / "new", refuse_below=0.9999999, unusual_below=1.0), model_version="new"
    )
    found = compare_bundles(old, new, dataset)
    (check,) = (check for check in found.checks if check.name == "not-a-chest-ct")
    assert (check.passed, check.champion) == (False, 0.0)
    assert check.challenger is not None
    assert check.challenger > 0.9


def test_one_source_is_not_judged_by_itself_and_sizes_are_in_megabytes(
    champion: Path, dataset: DatasetManifest, tmp_path: Path
) -> None:
    records = tuple(record.model_copy(update={"source": "import"}) for record in dataset.records)
    bundle = _larger(champion, tmp_path)
    found = compare_bundles(champion, bundle, dataset.model_copy(update={"records": records}))
    assert [row["source"] for row in found.by_source] == ["import"]
    assert "source:import" not in {check.name for check in found.checks}
    (size,) = (check for check in found.checks if check.name == "size")
    sizes = [(folder / GRAPH).stat().st_size / 1e6 for folder in (champion, bundle)]
    assert [size.champion, size.challenger] == sizes


def _lost_class(champion: Path, folder: Path) -> Path:
    manifest = Manifest.model_validate_json((champion / MANIFEST).read_bytes())
    names = tuple(f"other_{name}" if index == 0 else name for index, name in enumerate(manifest.class_names))
    return challenger(champion, folder, class_names=names, cancer_class_names=())


def _larger(champion: Path, folder: Path) -> Path:
    bundle = challenger(champion, folder)
    model = onnx.load(bundle / GRAPH)
    model.doc_string = "x" * 20_000
    onnx.save(model, bundle / GRAPH)
    add_to_bundle(bundle, [bundle / GRAPH])
    return bundle


@pytest.mark.parametrize(
    ("make", "check"),
    [
        (_lost_class, "classes"),
        (_larger, "size"),
        (lambda champion, folder: challenger(champion, folder, parity={}), "parity"),
        (
            lambda champion, folder: challenger(
                champion, folder, parity={GRAPH: Parity(n=10, max_probability_difference=0.2, agreement=1.0)}
            ),
            "parity",
        ),
    ],
)
def test_what_else_is_refused(make: Any, check: str, champion: Path, dataset: DatasetManifest, tmp_path: Path) -> None:
    bundle = make(champion, tmp_path)
    assert check in failed(compare_bundles(champion, bundle, dataset))


def test_a_challenger_that_cannot_be_loaded_is_an_error(
    champion: Path, dataset: DatasetManifest, tmp_path: Path
) -> None:
    with pytest.raises(BundleInvalid, match="golden"):
        compare_bundles(champion, challenger(champion, tmp_path, temperature=8.0), dataset)


def test_a_test_set_too_small_shows_nothing(champion: Path, dataset: DatasetManifest, tmp_path: Path) -> None:
    new = challenger(champion, tmp_path)
    for n in (0, 5):
        few = dataset.model_copy(update={"records": dataset.records[: 30 + n]})
        found = compare_bundles(champion, new, few)
        assert failed(found) == {"test-images"}
        assert (found.n, found.mcnemar) == (n, PairedTest(0, 0, 1.0))
    few = dataset.model_copy(update={"records": dataset.records[:35]})
    assert failed(compare_bundles(champion, new, few, rules=GateRules(least_images=5))) == set()
