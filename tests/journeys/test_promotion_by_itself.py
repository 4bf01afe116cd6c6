"""On real slices a better model is promoted without a person, answers otherwise, and is rolled back; over HTTP."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from hilum.imaging.decode import decode
from hilum.inference.bundle import open_bundle
from journey_client import ask, predict, send, tell, until_served, wait, zipped
from real_subset import slices_of, train_weak_champion
from server_process import RunningServer, running_server


@pytest.fixture(scope="module")
def weak_champion(reference_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that learnt a handful of real slices with every label wrong, and is sure of itself."""
    return train_weak_champion(reference_data, tmp_path_factory.mktemp("weak"), epochs=40, is_mixed_up=True)


@pytest.fixture(scope="module")
def slices(reference_data: Path, weak_champion: Path) -> dict[Path, str]:
    """Test slices that the champion's gate lets through, with their class."""
    gate = open_bundle(weak_champion).load_gate(threads=1)
    assert gate is not None
    held_out = slices_of(reference_data, "test", 24, 20).items()
    all_of_them = {file: name for name, files in held_out for file in files}
    return {f: name for f, name in all_of_them.items() if not gate.judge(decode(f.read_bytes()).pixels).is_refused}


def _upload(server: RunningServer, data: Path) -> None:
    counts = (("test", 24, 20), ("train", 36, 148))
    named = (
        (f"{split}/{name}/{file.name}", file)
        for split, count, normal in counts
        for name, files in slices_of(data, split, count, normal).items()
        for file in files
    )
    report = send(server, "/upload-data", "files", "slices.zip", zipped(named))
    assert report["accepted"] > 150, report


def _right(answers: dict[Path, dict[str, Any]], slices: dict[Path, str]) -> int:
    return sum(answer["predicted_class"] == slices[file] for file, answer in answers.items())


def test_a_better_model_is_promoted_without_a_person_and_rolled_back(
    weak_champion: Path, slices: dict[Path, str], reference_data: Path, tmp_path: Path
) -> None:
    champion = open_bundle(weak_champion).manifest.model_version
    with running_server(weak_champion, tmp_path / "log", {"HILUM_PROMOTION": "auto"}) as server:
        until_served(server, champion)
        _upload(server, reference_data)
        before = {file: predict(server, file.read_bytes()) for file in slices}

        run_id = tell(server, "POST", "/retrain", mode="head")["id"]
        wait(lambda: ask(server, "GET", f"/training-runs/{run_id}")["ended_at"] is not None)
        run = ask(server, "GET", f"/training-runs/{run_id}")
        assert (run["policy"], run["status"]) == ("auto", "promoted"), (run["failure"], run["report"]["checks"])
        assert all(check["passed"] for check in run["report"]["checks"])
        assert run["parent_version"] == champion

        until_served(server, run["model_version"])
        after = {file: predict(server, file.read_bytes()) for file in slices}
        assert {answer["model_version"] for answer in after.values()} == {run["model_version"]}
        assert _right(after, slices) > _right(before, slices)

        ask(server, "POST", "/models/rollback")
        until_served(server, champion)
        again = {file: predict(server, file.read_bytes()) for file in slices}
        assert all(again[file]["probabilities"] == before[file]["probabilities"] for file in slices)
