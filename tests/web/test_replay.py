"""`hilum replay` makes a stored answer again, or says why not."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

import cv2
import pytest
from click.testing import CliRunner, Result
from web_serving import open_history, serving, tiny_service

from hilum.cli import main
from hilum.imaging.phantoms import draw_phantom
from known_bundle import write_known_bundle


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home of the test's own."""
    for name in ("HILUM_DATABASE_URL", "HILUM_BLOBS_URL", "HILUM_MODEL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HILUM_HOME", str(tmp_path / "home"))
    (tmp_path / "home").mkdir()
    return tmp_path / "home"


@pytest.fixture
def receipt(home: Path, tiny_bundle: Path, slice_png: bytes, tmp_path: Path) -> Path:
    """The receipt of a prediction that is kept in the home, its image too."""
    history = open_history(f"sqlite:///{home / 'hilum.db'}", home / "blobs")
    with serving(tiny_service(tiny_bundle), history=history) as client:
        answer = client.post("/predict", files={"file": ("slice.jpg", slice_png)}).json()
        response = client.get(f"/predictions/{answer['id']}/receipt")
    file = tmp_path / "receipt.json"
    file.write_bytes(response.content)
    return file


def replay(*arguments: object) -> Result:
    """Runs `hilum replay`."""
    result = CliRunner().invoke(main, ["replay", *(str(argument) for argument in arguments)], prog_name="hilum")
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def changed(file: Path, **changes: Any) -> Path:
    """A copy of a receipt with members changed."""
    copy = file.with_name("changed.json")
    copy.write_text(json.dumps(json.loads(file.read_text()) | changes))
    return copy


def test_reproduces_from_the_kept_image_and_from_a_file(
    receipt: Path, tiny_bundle: Path, slice_png: bytes, tmp_path: Path, home: Path
) -> None:
    kept = replay(receipt, "--model", tiny_bundle)
    assert (kept.exit_code, kept.output.startswith("reproduced: ")) == (0, True)
    shutil.rmtree(home / "blobs")
    missing = replay(receipt, "--model", tiny_bundle)
    assert (missing.exit_code, "--image" in missing.output) == (8, True)
    (tmp_path / "slice.png").write_bytes(slice_png)
    assert replay(receipt, "--model", tiny_bundle, "--image", tmp_path / "slice.png").exit_code == 0


def test_a_receipt_names_what_answered(receipt: Path, tiny_bundle: Path) -> None:
    shown = json.loads(receipt.read_text())

    manifest = json.loads((tiny_bundle / "manifest.json").read_text())
    assert shown["provenance"]["model"]["files"] == manifest["files"]
    assert {"hilum", "python", "onnxruntime", "numpy"} <= set(shown["provenance"]["versions"])
    assert "slice.jpg" not in receipt.read_text()


def test_says_why_an_answer_is_not_reproduced(receipt: Path, tiny_bundle: Path, tmp_path: Path) -> None:
    shown = json.loads(receipt.read_text())
    other = tmp_path / "other.png"
    cv2.imwrite(str(other), draw_phantom(9))
    answer, provenance = shown["answer"], shown["provenance"]
    flat = dict.fromkeys(answer["probabilities"], 0.25)
    model = provenance["model"]
    cases = {
        "another image": replay(receipt, "--model", tiny_bundle, "--image", other),
        "a probability differs": replay(
            changed(receipt, answer=answer | {"probabilities": flat}), "--model", tiny_bundle
        ),
        "--model": replay(changed(receipt, answer=answer | {"model_version": "older"}), "--model", tiny_bundle),
        "not the file that answered": replay(
            changed(receipt, provenance=provenance | {"model": model | {"files": {"model.onnx": "0"}}}),
            "--model", tiny_bundle,
        ),
        "prepares slices in another way": replay(
            changed(receipt, provenance=provenance | {"preprocessing_sha256": "0"}), "--model", tiny_bundle
        ),
        "the cancer probability was": replay(
            changed(receipt, answer=answer | {"cancer_probability": 0.01}), "--model", tiny_bundle
        ),
        "the match among training slices was": replay(
            changed(receipt, answer=answer | {"training_match": "same-file"}), "--model", tiny_bundle
        ),
        "look-alikes were asked for": replay(
            changed(receipt, answer=answer | {"look_alikes": [{"class_name": "normal"}]}), "--model", tiny_bundle
        ),
        "is no receipt": replay(changed(receipt, schema_version=2), "--model", tiny_bundle),
        "cannot be read": replay(tmp_path / "none.json", "--model", tiny_bundle),
    }  # fmt: skip
    for words, result in cases.items():
        assert (result.exit_code, words in result.output) == (8, True), result.output


def test_says_in_what_an_answer_is_another(receipt: Path, tiny_bundle: Path) -> None:
    answer = json.loads(receipt.read_text())["answer"]
    first, *others = answer["probabilities"]
    moved = answer["probabilities"] | {first: answer["probabilities"][first] + 0.25}
    cases: dict[str, dict[str, Any]] = {
        f"the classes were {first}": {"probabilities": {first: 1.0}},
        "a probability differs by 0.250000": {"probabilities": moved},
        f"the class was other, now {answer['predicted_class']}": {"predicted_class": "other"},
        f"the cancer probability was None, now {answer['cancer_probability']}": {"cancer_probability": None},
        f"the decision was other, now {answer['decision']}": {"decision": "other"},
        f"the prediction set was {others}, now {answer['prediction_set']}": {"prediction_set": others},
        "warnings differ by blank-image, low-contrast": {"warnings": ["low-contrast", "blank-image"]},
    }
    for words, changes in cases.items():
        result = replay(changed(receipt, answer=answer | changes), "--model", tiny_bundle)
        assert (result.exit_code, words in result.output) == (8, True), result.output


def test_what_hangs_on_how_a_file_came_makes_no_other_answer(receipt: Path, tiny_bundle: Path, home: Path) -> None:
    (home / "hilum.db").unlink()  # which would say that the receipt was altered
    answer = json.loads(receipt.read_text())["answer"]
    assert "extension-mismatch" in answer["warnings"]  # the copy that is kept has no name
    same = replay(changed(receipt, answer=answer | {"warnings": []}), "--model", tiny_bundle)
    assert same.exit_code == 0, same.output


def test_an_image_that_is_refused_by_now_is_said(receipt: Path, tiny_bundle: Path, tmp_path: Path, home: Path) -> None:
    (tmp_path / "cut.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    digest = hashlib.sha256((tmp_path / "cut.png").read_bytes()).hexdigest()
    provenance = json.loads(receipt.read_text())["provenance"]
    del provenance["versions"]

    result = replay(
        changed(receipt, image_sha256=digest, provenance=provenance),
        "--model", tiny_bundle, "--image", tmp_path / "cut.png",
    )  # fmt: skip
    assert result.exit_code == 8
    assert "the image is refused now (image-corrupt: " in result.output
    assert "; what else differs: " in result.output
    assert ", then none" in result.output


def test_what_is_no_receipt_is_said_with_the_place(receipt: Path, tiny_bundle: Path, tmp_path: Path) -> None:
    (tmp_path / "note.json").write_text("no receipt")
    words = {"the whole: ": tmp_path / "note.json", "schema_version: ": changed(receipt, schema_version=2)}
    for place, file in words.items():
        result = replay(file, "--model", tiny_bundle)
        assert (result.exit_code, f"is no receipt: {place}" in result.output) == (8, True), result.output


def test_the_copy_that_was_kept_makes_the_answer_again(home: Path, tiny_bundle: Path, tmp_path: Path) -> None:
    bitmap = cv2.imencode(".bmp", draw_phantom(4))[1].tobytes()
    history = open_history(f"sqlite:///{home / 'hilum.db'}", home / "blobs")
    with serving(tiny_service(tiny_bundle), history=history) as client:
        answer = client.post("/predict", files={"file": ("a.bmp", bitmap)}).json()
        receipt = tmp_path / "receipt.json"
        receipt.write_bytes(client.get(f"/predictions/{answer['id']}/receipt").content)
    shown = json.loads(receipt.read_text())
    assert shown["image_sha256"] == hashlib.sha256(bitmap).hexdigest() != shown["kept_sha256"]

    assert replay(receipt, "--model", tiny_bundle).exit_code == 0
    altered = replay(changed(receipt, kept_sha256=shown["image_sha256"]), "--model", tiny_bundle)
    assert altered.exit_code == 8


def test_look_alikes_are_looked_up_again(home: Path, tiny_bundle: Path, tmp_path: Path) -> None:
    bundle = write_known_bundle(tiny_bundle, tmp_path / "known")
    history = open_history(f"sqlite:///{home / 'hilum.db'}", home / "blobs")
    encoded_again = cv2.imencode(".png", draw_phantom(22), [cv2.IMWRITE_PNG_COMPRESSION, 0])[1].tobytes()
    with serving(tiny_service(bundle), history=history) as client:
        answer = client.post("/predict?similar=3", files={"file": ("a.png", encoded_again)}).json()
        receipt = tmp_path / "receipt.json"
        receipt.write_bytes(client.get(f"/predictions/{answer['id']}/receipt").content)
    assert (answer["training_match"], len(answer["look_alikes"])) == ("same-slice", 3)

    same = replay(receipt, "--model", bundle)
    assert same.exit_code == 0, same.output
    fewer = changed(receipt, answer=json.loads(receipt.read_text())["answer"] | {"look_alikes": [{}]})
    other = replay(fewer, "--model", bundle)
    assert (other.exit_code, "the look-alikes are others" in other.output) == (8, True)
    for name, value in {"similarity": 0.5, "name": "another", "class_name": "another", "source": "another"}.items():
        first, *rest = answer["look_alikes"]
        one_other = changed(receipt, answer=answer | {"look_alikes": [first | {name: value}, *rest]})
        other = replay(one_other, "--model", bundle)
        assert (other.exit_code, "the look-alikes are others" in other.output) == (8, True)


def test_names_software_that_changed(receipt: Path, tiny_bundle: Path, home: Path) -> None:
    (home / "hilum.db").unlink()  # which would say that the receipt was altered
    provenance = json.loads(receipt.read_text())["provenance"]
    older = provenance | {"versions": provenance["versions"] | {"onnxruntime": "1.0"}}

    result = replay(changed(receipt, provenance=older), "--model", tiny_bundle)
    assert "another version: onnxruntime" in result.output


def test_a_receipt_that_was_altered_is_told_by_the_history(receipt: Path, tiny_bundle: Path, home: Path) -> None:
    shown = json.loads(receipt.read_text())
    whole = replay(receipt, "--model", tiny_bundle)
    assert (whole.exit_code, "the history holds the same receipt" in whole.output) == (0, True)
    for changes in (
        {"created_at": "2020-01-01T00:00:00Z"},
        {"image_sha256": "0" * 64},
        {"answer": shown["answer"] | {"latency_ms": 1.5}},
        {"provenance": shown["provenance"] | {"machine": "another"}},
    ):
        altered = replay(changed(receipt, **changes), "--model", tiny_bundle)
        assert altered.exit_code == 8
        assert f"altered: the history holds another {next(iter(changes))} of {shown['id']}" in altered.output

    other = replay(changed(receipt, id="0b9f5f0e-6d0c-4d8e-9d53-0c6f9a5f7f55"), "--model", tiny_bundle)
    assert (other.exit_code, "has no prediction of this id" in other.output) == (0, True)
    (home / "hilum.db").write_bytes(b"no database")
    damaged = replay(receipt, "--model", tiny_bundle)
    assert (damaged.exit_code, "was not compared with the history" in damaged.output) == (0, True)
    (home / "hilum.db").unlink()
    assert "no history here" in replay(receipt, "--model", tiny_bundle).output
    assert not (home / "hilum.db").exists()
