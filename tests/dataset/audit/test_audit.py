"""Planted faults are found, said in words, written as a report, and need no scikit-learn; the probe sees splits."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from dataset_samples import WriteImages, draw_distinct, encode

from hilum.cli import main
from hilum.dataset.audit import evidence
from hilum.dataset.audit.auditing import audit
from hilum.dataset.audit.classes import naive_swap
from hilum.dataset.audit.evidence import gather
from hilum.dataset.audit.finding import Audit
from hilum.dataset.audit.hog import hog_features
from hilum.dataset.audit.interval import score
from hilum.dataset.audit.report import write_report
from hilum.dataset.importer import read_dataset


@pytest.fixture
def faulty(write_images: WriteImages) -> Path:
    """Three classes in two splits, with one fault of each kind."""
    names = ("adenocarcinoma_T2_N0_M0_Ib", "normal", "squamous")
    root = write_images([f"train/{name}/t{k}.png" for name in names for k in range(5)])
    for place, name in enumerate(("adenocarcinoma", "normal", "squamous")):
        (root / "test" / name).mkdir(parents=True)
        for k in range(3):
            (root / "test" / name / f"e{k}.png").write_bytes(encode(draw_distinct(100 + 10 * place + k)))
    (root / "test/normal/copy.png").write_bytes((root / "train/normal/t0.png").read_bytes())
    (root / "test/normal/darker.png").write_bytes(encode((draw_distinct(6) * 0.7).astype(np.uint8)))
    original = draw_distinct(10)
    rows, columns = np.flatnonzero(original.max(axis=1) > 60), np.flatnonzero(original.max(axis=0) > 60)
    cut = original[rows[0] + 2 : rows[-1] - 1, columns[0] + 1 : columns[-1] - 3]
    (root / "test/squamous/cut.png").write_bytes(encode(cut))
    (root / "train/squamous/conflict.png").write_bytes((root / "train/normal/t2.png").read_bytes())
    (root / "train/normal/wrong.png").write_bytes(encode(draw_distinct(60), ".jpg"))
    (root / "train/normal/broken.png").write_bytes((root / "train/normal/t3.png").read_bytes()[:200])
    return root


def test_every_planted_fault_is_found(faulty: Path) -> None:
    found = audit(read_dataset(faulty), with_probe=False)

    def files(code: str) -> tuple[str, ...]:
        finding = found.finding(code)
        assert finding is not None, code
        assert finding.sentence.endswith(".")
        assert finding.remedy
        return finding.files

    assert {"test/normal/copy.png", "train/normal/t0.png"} <= set(files("byte-copies"))
    assert {"test/normal/darker.png", "train/normal/t1.png"} <= set(files("near-copies"))
    assert "test/squamous/cut.png" in {*files("hidden-copies"), *files("near-copies")}
    assert files("conflicting-labels") == ("train/normal/t2.png", "train/squamous/conflict.png")
    assert files("wrong-extensions") == ("train/normal/wrong.png",)
    assert files("refused-files") == ("train/normal/broken.png",)
    assert set(files("folder-names")) == {"train/adenocarcinoma_T2_N0_M0_Ib", "test/adenocarcinoma"}
    copies = found.finding("near-copies")
    assert copies is not None
    assert (copies.figures["test_copied_normal"], copies.figures["test"]) == (2, 12)
    severities = [finding.severity for finding in found.findings]
    assert severities == sorted(severities, key=("error", "warning", "note").index)
    assert found.n_refused == 1


def test_progress_tells_of_every_stage_to_its_end(faulty: Path) -> None:
    told: dict[str, list[float]] = {}
    audit(read_dataset(faulty), progress=lambda stage, share, _: told.setdefault(stage, []).append(share))
    assert list(told) == ["compare", "fit", "check", "probe", "shortcuts"]
    assert all(shares == sorted(shares) and shares[-1] == 1 for shares in told.values())


def test_a_large_data_set_is_judged_by_a_sample_of_it(
    write_images: WriteImages, monkeypatch: pytest.MonkeyPatch
) -> None:
    scan = read_dataset(write_images(f"train/{c}/{k}.png" for c in "ab" for k in range(6)))
    exact = gather(scan, lambda *_: None).usual_likeness
    monkeypatch.setattr(evidence, "_MOST_COMPARED", 11)
    assert gather(scan, lambda *_: None).usual_likeness == pytest.approx(exact, abs=0.05)
    monkeypatch.setattr(evidence, "_MOST_COMPARED", 12)
    assert gather(scan, lambda *_: None).usual_likeness == exact


def test_a_clean_data_set_has_no_error(write_images: WriteImages) -> None:
    found = audit(read_dataset(write_images(f"{c}/{k}.png" for c in "ab" for k in range(4))), with_probe=False)
    assert [finding.code for finding in found.findings if finding.severity == "error"] == []
    assert found.finding("byte-copies") is None
    assert found.scores == {}


def test_the_report_holds_its_pictures_and_escapes_names(write_images: WriteImages, tmp_path: Path) -> None:
    root = write_images(["a/<b>x.png", "b/y.png"])
    (root / "a/<i>copy.png").write_bytes((root / "a/<b>x.png").read_bytes())
    found = audit(read_dataset(root), with_probe=False)
    page = write_report(found, root, tmp_path / "out").read_text()
    assert "<b>x" not in page
    assert "&lt;b&gt;x" in page
    assert "data:image/png;base64," in page
    assert "http" not in page.replace("http-equiv", "")
    assert (tmp_path / "out/byte-copies.png").read_bytes().startswith(b"\x89PNG")
    assert json.loads((tmp_path / "out/audit.json").read_text())["findings"][0]["code"] == "byte-copies"


def test_the_command_prints_words_and_json(faulty: Path, tmp_path: Path) -> None:
    told = CliRunner().invoke(main, ["audit", str(faulty), "--no-probe", "--out", str(tmp_path / "out")])
    assert told.exit_code == 0, told.output
    assert "conflicting-labels" in told.stdout
    assert (tmp_path / "out/audit.html").is_file()
    as_json = CliRunner().invoke(main, ["audit", str(faulty), "--no-probe", "--json"])
    assert json.loads(as_json.stdout)["n_images"] == 29
    missing = CliRunner().invoke(main, ["audit", str(tmp_path / "nowhere")])
    assert missing.exit_code == 4


def test_import_takes_the_groups_asked_for(faulty: Path, tmp_path: Path) -> None:
    out = tmp_path / "manifest.json"
    for groups in ("near-copies", "series"):
        result = CliRunner().invoke(main, ["dataset", "import", str(faulty), "--out", str(out), "--groups", groups])
        assert result.exit_code == 0, result.output
    refused = CliRunner().invoke(main, ["dataset", "import", str(faulty), "--out", str(out), "--groups", "given"])
    assert refused.exit_code == 4
    assert "groups.csv" in refused.output
    (faulty / "groups.csv").write_text("path,group\ntrain/normal/t0.png,one\ntrain/normal/t1.png,one\n")
    given = CliRunner().invoke(main, ["dataset", "import", str(faulty), "--out", str(out), "--groups", "given"])
    assert given.exit_code == 0, given.output
    groups_of = [record["group"] for record in json.loads(out.read_text())["records"]]
    assert groups_of.count("one") == 2
    again = CliRunner().invoke(main, ["audit", str(out), "--no-probe", "--json"])
    assert json.loads(again.stdout)["n_images"] == 29


def test_the_checks_need_no_training_package(faulty: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from hilum.dataset.audit.auditing import audit; "
        "from hilum.dataset.importer import read_dataset; "
        f"audit(read_dataset(Path({str(faulty)!r})), with_probe=False); "
        "print(*(name for name in ('sklearn', 'scipy', 'pandas', 'matplotlib', 'keras') if name in sys.modules))"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.split() == []


@pytest.fixture(scope="module")
def leaking(tmp_path_factory: pytest.TempPathFactory) -> Audit:
    """Labels without meaning, and each picture four times, darker: only a split that ignores that can score."""
    root = tmp_path_factory.mktemp("leaking")
    for seed in range(24):
        name = ("cancer", "normal")[seed % 2]
        (root / name).mkdir(exist_ok=True)
        for copy in range(4):
            picture = (draw_distinct(seed) * (1 - 0.08 * copy)).astype(np.uint8)
            picture = np.pad(picture, 12 * (seed % 2))  # the shortcut: one class has a margin
            (root / name / f"{'abcdefghijklmnopqrstuvwx'[seed]}{'wxyz'[copy]}.png").write_bytes(encode(picture))
    return audit(read_dataset(root))


def test_the_probe_shows_what_a_random_split_is_worth(leaking: Audit) -> None:
    random, grouped = leaking.scores["body/random"], leaking.scores["body/near-copies"]
    assert random.value > 0.95
    assert grouped.value < 0.8
    assert grouped.low < grouped.value < grouped.high
    assert grouped.n == 96
    decided = leaking.finding("near-copies")
    assert decided is not None
    assert f"{grouped.n}" in decided.effect


def test_a_shortcut_is_measured(leaking: Audit) -> None:
    border = leaking.finding("shortcut-border")
    assert border is not None
    assert float(border.figures["cancer_balanced_accuracy"]) > 0.9
    assert border.severity == "warning"
    assert leaking.finding("shortcut-file-format-and-mode") is None


def test_hand_written_class_order() -> None:
    assert naive_swap(("adenocarcinoma", "normal", "squamous")) == ("normal", "squamous")
    assert naive_swap(("benign", "malignant")) == ("benign", "malignant")
    assert naive_swap(("adenocarcinoma", "normal")) == ()


def test_features_follow_direction() -> None:
    stripes = np.zeros((2, 64, 64), np.uint8)
    stripes[0, :, ::8] = 255
    stripes[1, ::8, :] = 255
    features = hog_features(stripes)
    assert features.shape == (2, 1764)
    assert np.isfinite(features).all()
    assert features[0] @ features[1] < 0.2 * (features[0] @ features[0])


def test_score_counts_classes_alike_when_balanced() -> None:
    labels = np.array([0] * 9 + [1], np.intp)
    groups = [str(k) for k in range(10)]
    predicted = np.zeros(10, np.intp)
    assert score(predicted, labels, groups).value == pytest.approx(0.9)
    assert score(predicted, labels, groups).majority == pytest.approx(0.9)
    balanced = score(predicted, labels, groups, is_balanced=True)
    assert (balanced.value, balanced.majority) == (0.5, 0.5)
    one_group = score(predicted, labels, ["same"] * 10)
    assert one_group.low < 0.9 < one_group.high, "one group says little, though no resample differs"


def test_a_perfect_score_says_how_few_groups_it_was_seen_on() -> None:
    labels = np.array([0] * 12 + [1] * 12, np.intp)
    groups = [str(k // 3) for k in range(24)]
    assert score(labels, labels, groups).low == pytest.approx(8 / (8 + 1.959964**2))
    assert score(labels, labels, groups, is_balanced=True).low == pytest.approx(4 / (4 + 1.959964**2))
