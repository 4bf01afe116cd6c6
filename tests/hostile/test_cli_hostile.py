"""The same table through `hilum predict`: one line for each file, the right code, and the next answer is right."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from hostile_cases import HOSTILE_CASES

import raster_files as img
from hilum.cli import main


@pytest.fixture(scope="module")
def answers(tiny_bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[int, list[dict[str, object]]]:
    """Exit code and answers of one call with every case, a plain slice before the first and after each."""
    folder = tmp_path_factory.mktemp("cli-hostile")
    plain = folder / "plain.png"
    plain.write_bytes(img.png())
    files = [str(plain)]
    for number, case in enumerate(HOSTILE_CASES):
        file = folder / str(number) / case.filename.replace("/", "_")
        file.parent.mkdir()
        file.write_bytes(case.make())
        files += [str(file), str(plain)]
    result = CliRunner().invoke(main, ["predict", "--json", "--model", str(tiny_bundle), *files])
    assert not isinstance(result.exception, Exception), result.exception
    assert "Traceback" not in result.output
    return result.exit_code, [json.loads(line) for line in result.stdout.splitlines()]


def test_says_by_its_exit_code_that_inputs_were_refused(answers: tuple[int, list[dict[str, object]]]) -> None:
    assert answers[0] == 3


@pytest.mark.parametrize("number", range(len(HOSTILE_CASES)), ids=[str(case) for case in HOSTILE_CASES])
def test_gets_its_answer(answers: tuple[int, list[dict[str, object]]], number: int) -> None:
    case, rows = HOSTILE_CASES[number], answers[1]
    golden, answer, after = rows[0], rows[1 + 2 * number], rows[2 + 2 * number]
    assert answer.get("code") == case.code
    if case.code is None:
        assert set(case.warnings) <= set(answer["warnings"])  # type: ignore[call-overload]
    assert after["probabilities"] == golden["probabilities"]
