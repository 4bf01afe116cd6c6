"""A sweep of bytes that nothing names meets a writer at every one of its steps, and takes nothing from it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import combinations_with_replacement
from pathlib import Path
from typing import Any

import obstore
import pytest
from storage_samples import keep, prediction

from hilum.errors import BlobMissing, BlobStoreUnavailable
from hilum.imaging.decode import decode
from hilum.services.datasets import Datasets, ImageFilter
from hilum.services.retention import Retention
from hilum.services.spare_blobs import require_prompt
from hilum.services.state import LABELLED
from hilum.storage import predictions
from hilum.storage.blobs import Blobs, folder_url, open_blobs
from hilum.storage.database import Database
from labelled_samples import drawn_png, incoming, opened_datasets

HOURS = [datetime.now(UTC) + timedelta(hours=hour) for hour in (2, 4, 6, 8)]
"""Moments of sweeps: what is set aside in one is old enough in the next."""


class Steps:
    """Calls `hook` with the number of each step before it is made: what asks the store or the rows is one."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Puts itself before the store and the rows."""
        self.hook: Callable[[int], None] | None = None
        self.count = 0
        find_used = predictions.images_in_use
        monkeypatch.setattr("hilum.storage.blobs.obstore", self)
        monkeypatch.setattr(predictions, "images_in_use", self._stepping(find_used))

    def __getattr__(self, name: str) -> Any:
        """A function of the store."""
        return self._stepping(getattr(obstore, name))

    def run(self, work: Callable[[], object], hook: Callable[[int], None]) -> int:
        """Works with a hook; how many steps that took."""
        self.hook, self.count = hook, 0
        work()
        self.hook = None
        return self.count

    def _stepping(self, function: Callable[..., Any]) -> Callable[..., Any]:
        def stepped(*args: Any, **options: Any) -> Any:
            if self.hook is not None:
                hook, self.hook = self.hook, None  # what the hook does is no step
                hook(self.count)
                self.count += 1
                self.hook = hook
            return function(*args, **options)

        return stepped


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch) -> Steps:
    """The steps of a sweep."""
    return Steps(monkeypatch)


@pytest.fixture
def retention(database: Database, blobs: Blobs) -> Retention:
    """Sweeps images of predictions."""
    return Retention(database, blobs, days=0)


class Writer:
    """Sends an image again that nothing names any more: puts it, then writes its row, then must always read it."""

    def __init__(self, database: Database, blobs: Blobs, number: int) -> None:
        """Leaves the image behind, as one whose prediction was deleted."""
        self._database, self._blobs, self._number = database, blobs, number
        self._data = b"slice %d" % number
        self._digest = blobs.put(self._data)
        self._is_kept = False

    def put(self) -> None:
        """Puts the image."""
        assert self._blobs.put(self._data) == self._digest

    def keep(self) -> None:
        """Writes the row."""
        keep(self._database, prediction(self._number, kept_sha256=self._digest))
        self._is_kept = True

    def check(self) -> None:
        """Reads what was acknowledged."""
        if self._is_kept:
            assert self._blobs.get(self._digest) == self._data


def meeting(writer: Writer, put_at: int, keep_at: int, *, between: Callable[[], object]) -> Callable[[int], None]:
    """What a writer does before each step: `between` comes between its two."""

    def hook(step: int) -> None:
        if step == put_at:
            writer.put()
            between()
        if step == keep_at:
            writer.keep()
        writer.check()

    return hook


@pytest.mark.parametrize("is_set_aside", [False, True], ids=["first sweep", "second sweep"])
@pytest.mark.parametrize("sweepers", [1, 2])
def test_what_is_sent_again_at_any_step_of_a_sweep_is_kept(
    database: Database, blobs: Blobs, retention: Retention, steps: Steps, is_set_aside: bool, sweepers: int
) -> None:
    other = Retention(database, blobs, days=0)

    def sweep() -> int:
        return retention.delete_old(HOURS[is_set_aside])

    def between() -> None:
        if sweepers == 2:
            other.delete_old(HOURS[is_set_aside])

    def left_behind(number: int) -> Writer:
        writer = Writer(database, blobs, number)
        if is_set_aside:
            retention.delete_old(HOURS[0])
        return writer

    left_behind(0)
    length = steps.run(sweep, lambda step: None)
    assert length >= 4
    for number, (put_at, keep_at) in enumerate(combinations_with_replacement(range(length), 2), start=1):
        writer = left_behind(number)
        steps.run(sweep, meeting(writer, put_at, keep_at, between=between))
        for hour in HOURS[2:]:
            writer.check()
            retention.delete_old(hour)
        writer.check()
        assert list(blobs.aside()) == []  # it is where a backup and the next sweep look for it


def test_what_nothing_names_is_set_aside_then_deleted(database: Database, blobs: Blobs, retention: Retention) -> None:
    used, spare = blobs.put(b"used"), blobs.put(b"spare")
    keep(database, prediction(0, kept_sha256=used))

    retention.delete_old()
    assert {entry.digest for entry in blobs.entries()} == {used, spare}  # young
    retention.delete_old(HOURS[0])
    assert [entry.digest for entry in blobs.entries()] == [used]
    assert [(one.digest, abs(one.since - HOURS[0]) < timedelta(seconds=30)) for one in blobs.aside()] == [(spare, True)]
    retention.delete_old(HOURS[0] + timedelta(minutes=58))
    assert blobs.get(spare) == b"spare"
    retention.delete_old(HOURS[0] + timedelta(minutes=62))

    with pytest.raises(BlobMissing):
        blobs.get(spare)
    assert (list(blobs.aside()), blobs.get(used)) == ([], b"used")


def test_a_sweep_that_ends_early_goes_on_the_next_time(database: Database, blobs: Blobs, retention: Retention) -> None:
    digest = blobs.put(b"spare")
    retention.close()
    retention.delete_old(HOURS[0])
    assert [entry.digest for entry in blobs.entries()] == [digest]
    Retention(database, blobs, days=0).delete_old(HOURS[0])
    retention.delete_old(HOURS[1])
    assert [one.digest for one in blobs.aside()] == [digest]


def test_a_store_that_breaks_off_while_bytes_are_set_aside_loses_none(
    blobs: Blobs, retention: Retention, monkeypatch: pytest.MonkeyPatch
) -> None:
    digest = blobs.put(b"spare")
    broken = "rename" if blobs.folder is not None else "delete"
    with monkeypatch.context() as patched:
        patched.setattr(obstore, broken, lambda *_: (_ for _ in ()).throw(OSError("the store is gone")))
        with pytest.raises(BlobStoreUnavailable, match="moved: the store is gone"):
            retention.delete_old(HOURS[0])
        assert blobs.get(digest) == b"spare"
    for hour in HOURS[1:3]:
        retention.delete_old(hour)
    assert (list(blobs.entries()), list(blobs.aside())) == ([], [])


@pytest.fixture
def datasets(database_url: str, tmp_path: Path) -> Iterator[Datasets]:
    """Labelled images in a folder."""
    with opened_datasets(database_url, tmp_path / "blobs") as opened:
        yield opened


def test_a_labelled_image_whose_bytes_are_swept_before_its_row_is_kept(datasets: Datasets, tmp_path: Path) -> None:
    picture = drawn_png(1)
    pixels = decode(picture, with_pixel_file=True).pixel_file
    assert pixels is not None
    blobs = open_blobs(folder_url(tmp_path / "blobs"), LABELLED)
    digest = blobs.put(pixels)  # left by an upload that was killed

    datasets.add(
        incoming((picture, "normal")), source="import", takes_new_classes=True,
        progress=lambda _: datasets.sweep(HOURS[0]) and None,
    )  # fmt: skip

    assert [one.digest for one in blobs.aside()] == [digest]
    (image,) = datasets.page(ImageFilter())
    assert datasets.thumbnail(str(image.id), 32)
    datasets.sweep(HOURS[0] + timedelta(days=2))
    assert ([entry.digest for entry in blobs.entries()], list(blobs.aside())) == ([digest], [])
    assert datasets.thumbnail(str(image.id), 32)


def test_an_import_that_takes_longer_than_bytes_are_safe_is_refused(
    datasets: Datasets, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hilum.services.datasets.STAYS", timedelta(seconds=-1))
    with pytest.raises(BlobStoreUnavailable, match="bring fewer at once"):
        datasets.add(incoming((drawn_png(1), "normal")), source="import", takes_new_classes=True)
    assert datasets.page(ImageFilter()) == []


def test_a_row_has_half_the_time_that_bytes_stay_aside() -> None:
    now = time.monotonic()
    require_prompt(now - 1700, timedelta(hours=1))
    with pytest.raises(BlobStoreUnavailable, match=r"put 19\d\d s before"):
        require_prompt(now - 1900, timedelta(hours=1))
