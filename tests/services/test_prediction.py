"""What the services promise apart from HTTP."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest

from hilum.errors import BundleInvalid, EmptyFile, NotReady, Overloaded
from hilum.services.model import load_model
from hilum.services.prediction import PredictionService
from hilum.services.reference import reference_bundle
from hilum.services.samples import SAMPLE_SEEDS, sample_png
from hilum.services.workers import Workers


def test_workers_admit_a_bounded_number_and_free_the_slot_of_a_failure() -> None:
    workers = Workers(threads=1, max_waiting=0)

    async def scenario() -> None:
        gate = asyncio.Event()
        loop = asyncio.get_running_loop()
        held = asyncio.create_task(workers.run(lambda: asyncio.run_coroutine_threadsafe(gate.wait(), loop).result()))
        await asyncio.sleep(0.01)
        with pytest.raises(Overloaded):
            await workers.run(lambda: None)
        gate.set()
        assert await held
        with pytest.raises(ZeroDivisionError):
            await workers.run(lambda: 1 / 0)
        assert await workers.run(lambda: "free") == "free"
        assert workers.admitted == 0

    asyncio.run(scenario())
    workers.close()


def test_workers_refuse_who_would_wait_too_long() -> None:
    workers = Workers(threads=1, max_waiting=100, max_wait_s=0.15)

    async def scenario() -> int:
        await workers.run(lambda: time.sleep(0.1))
        assert workers.expected_wait_s == 0
        calls = [asyncio.create_task(workers.run(lambda: time.sleep(0.1))) for _ in range(2)]
        await asyncio.sleep(0)
        assert workers.expected_wait_s > 0.15
        with pytest.raises(Overloaded) as refused:
            workers.check_room()
        assert refused.value.limit == 0.15
        return len(await asyncio.gather(*calls))

    assert asyncio.run(scenario()) == 2
    workers.close()


def test_who_was_let_in_is_refused_for_the_length_of_the_line_only() -> None:
    workers = Workers(threads=1, max_waiting=3, max_wait_s=0.15)

    async def scenario() -> int:
        await workers.run(lambda: time.sleep(0.1))
        calls = [asyncio.create_task(workers.run(lambda: time.sleep(0.1))) for _ in range(2)]
        await asyncio.sleep(0)
        with pytest.raises(Overloaded):
            await workers.run(lambda: None)
        calls += [asyncio.create_task(workers.run(lambda: time.sleep(0.1), is_let_in=True)) for _ in range(2)]
        await asyncio.sleep(0)
        with pytest.raises(Overloaded) as refused:
            await workers.run(lambda: None, is_let_in=True)
        assert refused.value.limit == 4
        return len(await asyncio.gather(*calls))

    assert asyncio.run(scenario()) == 4
    workers.close()


def test_a_service_answers_only_once_its_model_is_loaded(tiny_bundle: Path, slice_png: bytes) -> None:
    service = PredictionService(lambda: load_model(tiny_bundle), workers=Workers(threads=1))

    with pytest.raises(NotReady):
        service.check_ready()
    service.start()
    service.loaded.wait(10)
    answer = asyncio.run(service.predict(slice_png))
    assert answer.compute_ms > 0
    with pytest.raises(EmptyFile):
        asyncio.run(service.predict(b""))
    service.close()
    with pytest.raises(NotReady):
        service.check_ready()


def test_an_unforeseen_failure_to_load_degrades_the_service(caplog: pytest.LogCaptureFixture) -> None:
    service = PredictionService(lambda: 1 / 0)  # type: ignore[arg-type, return-value]
    service.start()
    service.loaded.wait(10)

    with pytest.raises(BundleInvalid, match="could not be loaded"):
        service.check_ready()
    assert "ZeroDivisionError" in caplog.text


@pytest.mark.parametrize("content", ["[]", "{", '{"accuracy": NaN}'])
def test_measurements_that_are_no_json_object_are_refused(tiny_bundle: Path, tmp_path: Path, content: str) -> None:
    for file in tiny_bundle.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    (tmp_path / "metrics.json").write_text(content)

    with pytest.raises(BundleInvalid, match=r"metrics\.json"):
        load_model(tmp_path)


def test_the_reference_bundle_is_sought_in_the_working_directory_too(
    tiny_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("hilum.services.reference.__file__", str(tmp_path / "a" / "b" / "c" / "d.py"))
    with pytest.raises(BundleInvalid, match="HILUM_MODEL"):
        reference_bundle()
    here = tmp_path / "models" / "reference"
    here.parent.mkdir()
    here.symlink_to(tiny_bundle)
    assert reference_bundle() == here


def test_samples_are_the_same_every_time() -> None:
    assert {sample_png(number)[:8] for number in SAMPLE_SEEDS} == {b"\x89PNG\r\n\x1a\n"}
    assert sample_png(1) is sample_png(1)
