"""Batches on the queue: spread over processes, which are killed amid them, and each image scored once."""

from __future__ import annotations

import contextlib
import os
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import cv2
import psutil
import pytest

from hilum.imaging.phantoms import draw_phantom
from hilum.services import batch_packs, batch_supervision
from hilum.services.batch_desk import open_batch_supervisor, open_batches
from hilum.services.batch_rules import BatchStatus, NewImage
from hilum.services.batches import Batches
from hilum.services.registry import open_registry
from hilum.services.state import StatePlaces, prepare
from hilum.storage import batch_results
from hilum.storage.database import Database
from hilum.storage.schema import upgrade

_IMAGES = 240
_KILLS = 3


@pytest.fixture
def places(database_url: str, tmp_path: Path, tiny_bundle: Path, monkeypatch: pytest.MonkeyPatch) -> StatePlaces:
    """An empty state whose champion is the tiny model."""
    monkeypatch.setattr(batch_packs, "CHUNK_IMAGES", 8)
    monkeypatch.setattr(batch_supervision, "LOOK_S", 0.1)
    places = StatePlaces(tmp_path / "home", database_url, f"file://{tmp_path / 'blobs'}")
    places.make_home()
    database = Database(database_url)
    upgrade(database)
    database.close()
    prepare(places)
    with closing(open_registry(places)) as registry:
        registry.put_first(registry.register(tiny_bundle).version)
    return places


@pytest.fixture
def batches(places: StatePlaces) -> Iterator[Batches]:
    """The batches in it."""
    with closing(open_batches(places, is_audited=False)) as made:
        yield made


def _environment(places: StatePlaces) -> dict[str, str]:
    home = {"HILUM_HOME": str(places.home), "HILUM_DATABASE_URL": str(places.database_url)}
    return home | {"HILUM_BLOBS_URL": str(places.blobs_url), "HILUM_THREADS": "1", "HILUM_LOG_LEVEL": "warning"}


def _scorers() -> list[psutil.Process]:
    """The processes that score, as far as they run."""
    found = []
    for child in psutil.Process(os.getpid()).children():
        with contextlib.suppress(psutil.Error):  # it may be ending
            if "hilum.worker.batches" in " ".join(child.cmdline()):
                found.append(child)
    return found


def _images(count: int) -> list[NewImage]:
    slices = [cv2.imencode(".png", draw_phantom(seed))[1].tobytes() for seed in range(12)]
    return [NewImage(slices[number % 12] if number % 10 else b"no image", "x.png") for number in range(count)]


def test_two_processes_share_a_batch_and_each_image_is_scored_once_whoever_is_killed(
    places: StatePlaces, batches: Batches
) -> None:
    chance = random.Random(3)
    batch = batches.add(_images(_IMAGES))
    kills = 0
    with ExitStack() as opened:
        for _ in range(2):
            supervisor = open_batch_supervisor(places, _environment(places))
            supervisor.start()
            opened.callback(supervisor.close)
        ends_at = time.monotonic() + 300
        for now in batches.wait(str(batch.id), every_s=0.05):
            assert time.monotonic() < ends_at
            if kills < _KILLS and now.n_answered > _IMAGES * (kills + 0.5) / (_KILLS + 1):
                chance.choice(_scorers()).kill()
                kills += 1
    assert kills == _KILLS
    ended = batches.find(str(batch.id))
    assert (ended.status, ended.n_answered, ended.n_refused) == (BatchStatus.DONE, _IMAGES * 9 // 10, _IMAGES // 10)
    results = [one for some in batches.all_results(str(batch.id)) for one in some]
    assert [one.item_index for one in results] == list(range(_IMAGES))
    assert {one.status for one in results if one.item_index % 10 == 0} == {415}


def test_what_a_lost_machine_had_begun_goes_to_another(places: StatePlaces, batches: Batches) -> None:
    batch = batches.add(_images(_IMAGES))
    command = [sys.executable, "-c", "from hilum.cli import main; main()", "worker", "--only", "batches"]
    lost = subprocess.Popen(command, env=os.environ | _environment(places))
    for now in batches.wait(str(batch.id), every_s=0.02):
        if now.n_answered:
            break
    children = psutil.Process(lost.pid).children(recursive=True)
    lost.kill()  # so that nobody says goodbye, or starts another process
    for child in children:
        with contextlib.suppress(psutil.NoSuchProcess):
            child.kill()
    lost.wait()
    assert batches.find(str(batch.id)).status == BatchStatus.RUNNING
    with closing(open_batch_supervisor(places, _environment(places))) as other:
        other.start()
        *_, ended = batches.wait(str(batch.id))
    assert (ended.status, ended.n_answered + ended.n_refused) == (BatchStatus.DONE, _IMAGES)


def test_what_a_stopped_worker_had_begun_goes_to_another_at_once(places: StatePlaces, batches: Batches) -> None:
    batch = batches.add(_images(64))
    with closing(open_batch_supervisor(places, _environment(places))) as stopped:
        stopped.start()
        for now in batches.wait(str(batch.id), every_s=0.02):
            if now.n_answered:
                break
    database = places.open_database()
    with closing(database), database.reading() as connection:
        assert batch_results.silent_workers(connection, datetime.now(UTC) - timedelta(days=1)) == [stopped.name]
    with closing(open_batch_supervisor(places, _environment(places))) as other:
        other.start()
        *_, ended = batches.wait(str(batch.id))
    assert (ended.status, ended.n_answered + ended.n_refused) == (BatchStatus.DONE, 64)


def test_a_second_batch_need_not_wait_for_the_end_of_the_first(places: StatePlaces, batches: Batches) -> None:
    first, second = batches.add(_images(40)), batches.add(_images(4))
    with closing(open_batch_supervisor(places, _environment(places))) as supervisor:
        supervisor.start()
        for batch in (second, first):
            *_, ended = batches.wait(str(batch.id), every_s=0.1)
            assert ended.status == BatchStatus.DONE
