"""What a killed server of several processes left in the temporary folder goes at the next start, and nothing else."""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from hilum.web import count_folder as folders
from hilum.web.processes import SHARED_COUNTS, counting_together, keep_counts

_SERVES = """
import os, sys
from hilum.web.processes import SHARED_COUNTS, counting_together
with counting_together(2):
    print(os.environ[SHARED_COUNTS], flush=True)
    sys.stdin.read()
"""


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The temporary folder of this test."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", None)
    return tmp_path


@contextmanager
def serving() -> Iterator[tuple[subprocess.Popen[str], Path]]:
    """A process that counts with others, and where."""
    process = subprocess.Popen(
        [sys.executable, "-c", _SERVES], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdin
    assert process.stdout
    with process:
        yield process, Path(process.stdout.readline().strip())


@pytest.mark.parametrize("n_processes", [1, 2])
def test_what_a_killed_server_left_is_removed_by_the_next(n_processes: int, place: Path) -> None:
    with serving() as (process, folder):
        (folder / "counter_17.db").write_bytes(b"counted")
        process.kill()
        process.wait()
        assert folder.is_dir()
        with counting_together(n_processes):
            assert not folder.exists()
    assert list(place.iterdir()) == []


def test_what_a_running_server_counts_in_stays(place: Path) -> None:
    with serving() as (first, folder), serving() as (second, other):
        with counting_together(2):
            assert {one for one in place.iterdir() if one.samefile(os.environ[SHARED_COUNTS])}
        assert set(place.iterdir()) == {folder, other}
        for process in (first, second):
            assert process.stdin
            process.stdin.close()
            assert process.wait() == 0
    assert list(place.iterdir()) == []


def test_a_process_that_drains_after_its_parent_was_killed_keeps_it() -> None:
    with serving() as (main, folder):
        context = multiprocessing.get_context("spawn")
        here, there = context.Pipe()
        drains = context.Process(target=_drain, args=(folder, there))
        drains.start()
        assert here.recv() == "holds"
        main.kill()
        main.wait()
        folders.remove_left_behind()
        assert folder.is_dir()
        here.send("end")
        drains.join()
        folders.remove_left_behind()
        assert not folder.exists()


def _drain(folder: Path, pipe: multiprocessing.connection.Connection) -> None:
    os.environ[SHARED_COUNTS] = str(folder)
    keep_counts()
    pipe.send("holds")
    pipe.recv()


def test_what_is_no_folder_of_this_user_stays(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    elsewhere = place / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "kept").touch()
    (place / "hilum-counts-link").symlink_to(elsewhere)
    (place / "hilum-counts-file").touch()
    os.mkfifo(place / "hilum-counts-pipe")
    folders.remove_left_behind()
    assert len(list(place.iterdir())) == 4
    assert (elsewhere / "kept").exists()

    (place / "hilum-counts-folder").mkdir()
    monkeypatch.setattr(os, "geteuid", lambda: os.getuid() + 1)
    folders.remove_left_behind()
    assert (place / "hilum-counts-folder").exists()
    monkeypatch.undo()


def test_a_folder_that_a_neighbour_removed_before_it_was_held_is_made_anew(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = []

    def mkdtemp(prefix: str) -> str:
        made.append(tempfile.mkdtemp(prefix=prefix))
        if len(made) == 1:
            folders.remove_left_behind()  # a neighbour starts
        return made[-1]

    monkeypatch.setattr(folders, "mkdtemp", mkdtemp)
    with counting_together(2):
        assert [Path(one).exists() for one in made] == [False, True]
        assert os.environ[SHARED_COUNTS] == made[1]


@pytest.mark.parametrize("acts", [folders.hold, lambda _: folders.remove_left_behind()])
def test_another_folder_that_took_the_name_is_neither_held_nor_removed(
    acts: Callable[[Path], object], place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = place / "hilum-counts-0"
    folder.mkdir()
    opened = folders._opened

    def exchanged(path: Path) -> int:
        descriptor = opened(path)
        path.rename(place / "former")
        path.mkdir()
        return descriptor

    monkeypatch.setattr(folders, "_opened", exchanged)
    n_open = len(list(Path("/dev/fd").iterdir()))
    assert acts(folder) is None
    assert folder.is_dir()
    assert len(list(Path("/dev/fd").iterdir())) == n_open
