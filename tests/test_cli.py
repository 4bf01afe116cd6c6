"""The command line as a person or a script meets it: answers, errors, exit codes, and docs/cli.md."""

from __future__ import annotations

import errno
import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import NoReturn

import click
import cv2
import numpy as np
import pytest
from click.testing import CliRunner, Result

from hilum import errors
from hilum.cli import main
from hilum.imaging.phantoms import draw_phantom

DOCS = Path(__file__).parents[1] / "docs" / "cli.md"


def hilum(*arguments: object) -> Result:
    """Runs a command; only exits are left as they are, anything else raised is a fault."""
    runner = CliRunner(env={"COLUMNS": "200"})
    result = runner.invoke(main, [str(argument) for argument in arguments], prog_name="hilum")
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def fresh(code: str, *, check: bool = True) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=check)


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Keeps the machine's settings and state out of the tests."""
    for name in ("HILUM_MODEL", "HILUM_HOST", "HILUM_PORT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HILUM_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture
def slice_file(tmp_path: Path, slice_png: bytes) -> Path:
    path = tmp_path / "slice.png"
    path.write_bytes(slice_png)
    return path


@pytest.fixture
def slices(tmp_path: Path) -> Path:
    """A data set of two classes in two splits, with one file that is no image."""
    root = tmp_path / "my-slices"
    for seed, name in enumerate(("train/normal", "train/malignant", "test/normal", "test/malignant")):
        (root / name).mkdir(parents=True)
        cv2.imwrite(str(root / name / "1.png"), draw_phantom(seed, side=128))
    (root / "train" / "normal" / "notes.png").write_text("not an image")
    return root


def commands(command: click.Command = main, name: str = "hilum") -> Iterator[tuple[str, click.Command]]:
    """Every command with its full name."""
    yield name, command
    if isinstance(command, click.Group):
        for part, inner in command.commands.items():
            yield from commands(inner, f"{name} {part}")


each_command = pytest.mark.parametrize(
    ("name", "command"), [pytest.param(name, command, id=name) for name, command in commands()]
)


# help and documentation


def test_help_loads_nothing_that_is_slow_to_load() -> None:
    slow = ("numpy", "cv2", "onnxruntime", "pydantic", "rich", "keras", "tensorflow", "matplotlib", "fastapi")
    code = (
        "import sys\nfrom hilum.cli import main\n"
        "try:\n    main(['--help'])\nexcept SystemExit as end:\n    assert end.code == 0\n"
        f"sys.exit(' '.join(name for name in {slow!r} if name in sys.modules))"
    )
    result = fresh(code, check=False)
    assert result.stderr.strip() == ""
    assert "Exit codes" in result.stdout


@each_command
def test_every_command_explains_itself(name: str, command: click.Command) -> None:
    result = hilum(*name.split()[1:], "--help")
    assert result.exit_code == 0
    assert command.help
    if not isinstance(command, click.Group):
        assert re.search(rf"Examples?:.*\b{name}\b", result.stdout, re.DOTALL), "an example"
    for parameter in command.params:
        if isinstance(parameter, click.Option):
            assert parameter.help, f"{name} {parameter.opts[0]} has no help"


@each_command
def test_every_command_and_option_is_documented(name: str, command: click.Command) -> None:
    if isinstance(command, click.Group) and command is not main:
        return  # a group is documented by its commands
    sections = dict(re.findall(r"^## (.+?)\n(.*?)(?=^## |\Z)", DOCS.read_text(), re.MULTILINE | re.DOTALL))
    assert name in sections
    for parameter in command.params:
        if isinstance(parameter, click.Argument):
            assert f"`{str(parameter.name).upper()}`" in sections[name]
        else:
            for option in (*parameter.opts, *parameter.secondary_opts):
                assert f"`{option}`" in sections[name]


def test_the_documentation_names_no_command_or_option_that_is_not_there() -> None:
    real = dict(commands())
    for name, text in re.findall(r"^## (hilum.*?)\n(.*?)(?=^## |\Z)", DOCS.read_text(), re.MULTILINE | re.DOTALL):
        known = {"--help"} | {o for p in real[name].params for o in (*p.opts, *p.secondary_opts)}
        rows = "".join(line for line in text.splitlines() if line.startswith("| `"))
        assert set(re.findall(r"`(--[\w-]+)`", rows)) <= known, name


def test_every_exit_code_is_documented() -> None:
    documented = {int(code) for code in re.findall(r"^\| (\d) \|", DOCS.read_text(), re.MULTILINE)}
    leaves = [value for value in vars(errors).values() if isinstance(value, type)]
    used = {leaf.exit_code for leaf in leaves if issubclass(leaf, errors.HilumError)}
    assert used | {0, 1, 2, 9} == documented
    epilog = hilum("--help").stdout
    assert all(re.search(rf"\b{code} ", epilog) for code in documented)


def test_the_version_is_printed() -> None:
    assert re.fullmatch(r"hilum, version \d+\.\d+\.\d+\S*\n", hilum("--version").stdout)


# predict


def test_predict_prints_a_table(tiny_bundle: Path, slice_file: Path) -> None:
    result = hilum("predict", "--model", tiny_bundle, slice_file)
    assert result.exit_code == 0
    assert "slice.png" in result.stdout
    assert re.search(r"confident|review", result.stdout)
    assert "not a medical device" in result.stdout


def test_predict_prints_a_json_object_a_line(tiny_bundle: Path, slice_file: Path, tmp_path: Path) -> None:
    other = shutil.copy(slice_file, tmp_path / "other.png")
    result = hilum("predict", "--json", "--model", tiny_bundle, slice_file, other)
    assert result.exit_code == 0
    first, second = (json.loads(line) for line in result.stdout.splitlines())
    assert [first["file"], second["file"]] == [str(slice_file), str(other)]
    assert sum(first["probabilities"].values()) == pytest.approx(1)
    assert first["predicted_class"] == max(first["probabilities"], key=first["probabilities"].get)
    assert first["decision"] in {"confident", "review"}
    assert first["model_version"] == "tiny-20260101-00000000"
    assert first | {"file": ""} == second | {"file": ""}


def test_a_refused_file_does_not_keep_the_others_from_their_answer(
    tiny_bundle: Path, slice_file: Path, tmp_path: Path
) -> None:
    (tmp_path / "empty.png").touch()
    files = (tmp_path / "empty.png", tmp_path / "missing.png", tmp_path, slice_file)
    result = hilum("predict", "--json", "--model", tiny_bundle, *files)
    assert result.exit_code == 3
    empty, missing, folder, answer = (json.loads(line) for line in result.stdout.splitlines())
    assert empty["code"] == "empty-file"
    assert missing["detail"] == "the file cannot be read: No such file or directory"
    assert "directory" in folder["detail"]
    assert "predicted_class" in answer


def test_a_refused_file_is_named_with_its_reason_in_the_table(tiny_bundle: Path, tmp_path: Path) -> None:
    (tmp_path / "[red]notes.png").write_text("not an image")
    result = hilum("predict", "--model", tiny_bundle, tmp_path / "[red]notes.png")
    assert result.exit_code == 3
    assert "[red]notes.png" in result.stdout
    assert "unsupported-media-type" in result.stdout


def test_explain_writes_the_heat_map_over_the_slice(tiny_bundle: Path, slice_file: Path, tmp_path: Path) -> None:
    heat_map = tmp_path / "heat.png"
    result = hilum("predict", "--model", tiny_bundle, "--explain", heat_map, slice_file)
    assert result.exit_code == 0
    assert str(heat_map) in result.stderr.replace("\n", "")
    picture = cv2.imread(str(heat_map))
    assert picture.shape == (512, 512, 3)
    assert np.ptp(picture.astype(int), axis=2).max() > 30  # in colour


def test_explain_of_a_refused_file_writes_nothing(tiny_bundle: Path, tmp_path: Path) -> None:
    (tmp_path / "empty.png").touch()
    result = hilum("predict", "--model", tiny_bundle, "--explain", tmp_path / "heat.png", tmp_path / "empty.png")
    assert result.exit_code == 3
    assert not (tmp_path / "heat.png").exists()


def test_the_model_may_be_named_in_the_environment(
    tiny_bundle: Path, slice_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HILUM_MODEL", str(tiny_bundle))
    assert json.loads(hilum("predict", "--json", slice_file).stdout)["model_version"].startswith("tiny-")


# exit codes


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["predict"], "Missing argument 'FILES...'"),
        (["predict", "a.png", "b.png", "--explain", "heat.png"], "--explain, --study and --sr take one FILE"),
        (["predict", "a.png", "--explain", "no/such/folder/heat.png"], "there is no folder 'no/such/folder'"),
        (["train", "--data", "x"], "Missing option '--out'"),
        (["train", "--data", "x", "--out", "y", "--mode", "half"], "'half' is not one of 'head', 'upper', 'full'"),
        (["train", "--data", "x", "--out", "y", "--side", "8"], "8 is not in the range"),
        (["train", "--data", "x", "--out", "y", "--weights", "no-such-file"], "does not exist"),
        (["guess"], "No such command 'guess'"),
        (["serve", "--port", "many"], "'many' is not a valid integer"),
        (["serve", "--port", "70000"], "HILUM_PORT"),
    ],
)
def test_wrong_usage_exits_with_2_and_says_what_is_right(arguments: list[str], words: str) -> None:
    result = hilum(*arguments)
    assert result.exit_code == 2
    assert words in " ".join(result.stderr.split())


def test_a_wrong_setting_exits_with_2_and_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HILUM_PORT", "many")
    result = hilum("models", "show")
    assert result.exit_code == 2
    assert "HILUM_PORT" in result.stderr


def test_ctrl_c_says_so_and_exits_with_130(slice_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Path, "read_bytes", lambda _: raise_(KeyboardInterrupt()))
    result = hilum("predict", slice_file)
    assert result.exit_code == 130
    assert result.stderr == "hilum: interrupted\n"


@pytest.mark.parametrize("command", ["runs show", "runs cancel", "batches show", "batches results"])
def test_a_run_or_batch_that_is_not_there_is_wrong_usage(command: str) -> None:
    assert hilum(*command.split(), "0b9f5f0e-6d0c-4d8e-9d53-0c6f9a5f7f55").exit_code == 2


def test_an_import_names_a_class_that_a_split_lacks(slices: Path) -> None:
    assert "misspelt" not in hilum("dataset", "import", slices).stdout
    (slices / "test" / "malignant").rename(slices / "test" / "malignnat")
    told = hilum("dataset", "import", slices).stdout
    assert "malignnat has no image in train: is a folder's name misspelt?" in told
    assert "malignant has no image in test" in told


def test_a_zip_that_was_changed_is_read_anew(slices: Path, tmp_path: Path) -> None:
    for count in (4, 5):
        archive = shutil.make_archive(str(tmp_path / "upload"), "zip", slices)
        assert f"{count} images" in hilum("dataset", "import", archive).stdout
        cv2.imwrite(str(slices / "train" / "normal" / "2.png"), draw_phantom(7, side=128))


def test_a_zip_that_is_none_exits_with_3(tmp_path: Path) -> None:
    (tmp_path / "slices.zip").write_bytes(b"not a zip")
    result = hilum("dataset", "import", tmp_path / "slices.zip")
    assert result.exit_code == 3
    assert result.stderr.startswith("hilum: ")


@pytest.mark.parametrize("command", ["train", "evaluate", "dataset import"])
def test_a_data_set_that_is_not_there_exits_with_4(command: str, tiny_bundle: Path, tmp_path: Path) -> None:
    arguments: dict[str, list[object]] = {
        "train": ["train", "--out", tmp_path / "model", "--data"],
        "evaluate": ["evaluate", "--model", tiny_bundle, "--out", tmp_path / "out", "--data"],
        "dataset import": ["dataset", "import"],
    }
    result = hilum(*arguments[command], tmp_path / "nowhere")
    assert result.exit_code == 4
    assert "nowhere does not exist" in result.stderr


def test_a_manifest_that_is_none_exits_with_4(tmp_path: Path) -> None:
    (tmp_path / "slices.json").write_text("{}")
    result = hilum("train", "--data", tmp_path / "slices.json", "--out", tmp_path / "model")
    assert result.exit_code == 4
    assert "import the data set again" in result.stderr


def test_a_manifest_whose_images_are_gone_exits_with_4(slices: Path, tmp_path: Path) -> None:
    assert hilum("dataset", "import", slices, "--out", tmp_path / "slices.json").exit_code == 0
    slices.rename(tmp_path / "moved")
    result = hilum("train", "--data", tmp_path / "slices.json", "--out", tmp_path / "model")
    assert result.exit_code == 4
    assert "import it again" in result.stderr


@pytest.mark.parametrize(
    "command", [["predict", "slice.png"], ["models", "show"], ["evaluate", "--data", "{slices}", "--split", "all"]]
)
def test_a_model_that_cannot_be_served_exits_with_5(
    command: list[str], tiny_bundle: Path, slices: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    damaged = shutil.copytree(tiny_bundle, tmp_path / "damaged")
    (damaged / "model.onnx").write_bytes(b"damaged")
    monkeypatch.setenv("HILUM_MODEL", str(damaged))
    result = hilum(*(part.format(slices=slices) for part in command))
    assert result.exit_code == 5
    assert "hilum: The model cannot be served: 'model.onnx' of bundle 'damaged' is damaged" in result.stderr


def test_data_that_do_not_suffice_exit_with_6(slices: Path, tmp_path: Path) -> None:
    result = hilum("train", "--data", slices, "--out", tmp_path / "model")
    assert result.exit_code == 6
    assert "at least 5" in result.stderr


@pytest.mark.parametrize("command", ["train", "evaluate"])
def test_an_ignored_label_that_is_not_there_is_misspelt(
    slices: Path, tiny_bundle: Path, tmp_path: Path, command: str
) -> None:
    where = ["--out", tmp_path / "model"] if command == "train" else ["--model", tiny_bundle, "--split", "all"]
    result = hilum(command, "--data", slices, "--ignore", "malignnat", *where)
    assert result.exit_code == 4
    assert "--ignore malignnat: no image has this label; there are malignant, normal" in result.stderr


def test_a_file_that_cannot_be_written_or_read_exits_with_9_in_one_line(
    slices: Path, tiny_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("no folder")
    no_folder = tmp_path / "file" / "folder"
    for arguments in (
        ["dataset", "import", slices, "--out", no_folder / "slices.json"],
        ["audit", slices, "--no-probe", "--out", no_folder],
    ):
        result = hilum(*arguments)
        assert result.exit_code == 9, arguments
        assert result.stderr.splitlines()[-1].startswith("hilum: "), arguments
        assert str(tmp_path) in result.stderr
    monkeypatch.setattr(Path, "write_bytes", lambda *_: raise_(OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))))
    result = hilum("predict", next(slices.rglob("1.png")), "--model", tiny_bundle, "--explain", tmp_path / "heat.png")
    assert result.exit_code == 9
    assert "No space left on device" in result.stderr


def raise_(error: BaseException) -> NoReturn:
    raise error


def test_a_folder_among_the_files_is_told_from_a_slice(tiny_bundle: Path, tmp_path: Path) -> None:
    result = hilum("predict", "--model", tiny_bundle, "--json", tmp_path)
    assert result.exit_code == 3
    assert "--study" in json.loads(result.stdout)["detail"]


@pytest.mark.parametrize("command", [["train", "--out", "model"], ["evaluate"]])
def test_without_the_training_packages_the_remedy_is_named(command: list[str]) -> None:
    code = (
        "import sys\nsys.modules.update(keras=None, matplotlib=None)\nfrom hilum.cli import main\n"
        f"main({[*command, '--data', 'nowhere']!r})"
    )
    result = fresh(code, check=False)
    assert result.returncode == 6
    assert "make install-train" in result.stderr
    assert "Traceback" not in result.stderr


def test_the_installed_command_exits_as_documented(tmp_path: Path) -> None:
    command = Path(sys.executable).with_name("hilum")
    arguments = ["predict", "--model", tmp_path, "slice.png"]
    result = subprocess.run([command, *arguments], capture_output=True, text=True, check=False)
    assert result.returncode == 5
    assert len(result.stderr.splitlines()) == 1
    assert result.stderr.startswith("hilum: ")


# data sets


def test_a_folder_is_imported_and_its_faults_are_listed(slices: Path, home: Path) -> None:
    result = hilum("dataset", "import", slices)
    assert result.exit_code == 0
    assert "4 images, 4 distinct" in result.stdout
    assert "notes.png: unsupported-media-type" in result.stdout
    manifest = json.loads((home / "datasets" / "my-slices.json").read_text())
    assert manifest["class_names"] == ["malignant", "normal"]


def test_two_data_sets_of_one_name_keep_a_manifest_each(slices: Path, tmp_path: Path, home: Path) -> None:
    other = tmp_path / "elsewhere" / slices.name
    shutil.copytree(slices, other)
    for folder in (slices, other, slices, other):
        assert hilum("dataset", "import", folder).exit_code == 0
    manifests = sorted((home / "datasets").glob("*.json"))
    assert [path.name.startswith("my-slices") for path in manifests] == [True, True]
    assert {json.loads(path.read_text())["root"] for path in manifests} == {str(slices), str(other)}


def test_a_relative_folder_is_found_again_from_elsewhere(
    slices: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(slices.parent)
    assert hilum("dataset", "import", slices.name, "--out", "slices.json").exit_code == 0
    assert json.loads((tmp_path / "slices.json").read_text())["root"] == str(slices)


def test_a_zip_is_unpacked_below_home_and_imported(slices: Path, tmp_path: Path, home: Path) -> None:
    with zipfile.ZipFile(tmp_path / "packed.zip", "w") as archive:
        for path in slices.rglob("*.png"):
            archive.write(path, path.relative_to(slices))
    result = hilum("dataset", "import", tmp_path / "packed.zip", "--out", tmp_path / "elsewhere" / "packed.json")
    assert result.exit_code == 0
    manifest = json.loads((tmp_path / "elsewhere" / "packed.json").read_text())
    assert len(manifest["records"]) == 4
    assert Path(manifest["root"]).is_relative_to(home)


def test_a_kaggle_data_set_is_fetched_and_imported(slices: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def dataset_download(handle: str) -> str:
        asked.append(handle)
        return str(slices.rename(slices.with_name("1")))  # kagglehub's folder is named after the version

    monkeypatch.setitem(sys.modules, "kagglehub", SimpleNamespace(dataset_download=dataset_download))
    result = hilum("dataset", "import", "kaggle:someone/chest-slices")
    assert result.exit_code == 0
    assert asked == ["someone/chest-slices"]
    assert (home / "datasets" / "chest-slices.json").is_file()


def test_a_kaggle_failure_exits_with_4_and_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    def dataset_download(handle: str) -> str:
        raise ConnectionError("no network")

    monkeypatch.setitem(sys.modules, "kagglehub", SimpleNamespace(dataset_download=dataset_download))
    result = hilum("dataset", "import", "kaggle:someone/chest-slices")
    assert result.exit_code == 4
    assert "no network" in result.stderr
    assert "as a zip" in result.stderr
    assert hilum("dataset", "import", "kaggle:not a handle").exit_code == 4


# models


def test_models_show_verifies_and_describes(tiny_bundle: Path) -> None:
    result = hilum("models", "show", tiny_bundle)
    assert result.exit_code == 0
    for words in ("tiny-20260101-00000000", "adenocarcinoma", "64 px", "2 file hashes"):
        assert words in result.stdout


def test_models_show_prints_the_manifest_as_json(tiny_bundle: Path) -> None:
    printed = json.loads(hilum("models", "show", tiny_bundle, "--json").stdout)
    assert printed == json.loads((tiny_bundle / "manifest.json").read_text())
