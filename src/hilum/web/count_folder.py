"""The folder in which the processes of one server count together: theirs while one of them lives, and then nobody's.

Each of them holds a lock on the folder itself, which ends with the process, however that ends. So the next server to
start can tell what a killed one left from what another still uses, whatever numbers processes have by then.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import gettempdir, mkdtemp

_PREFIX = "hilum-counts-"


@contextmanager
def count_folder() -> Iterator[Path]:
    """A folder of this process and of those that it starts in the block; it is gone at the end."""
    folder = Path(mkdtemp(prefix=_PREFIX))
    while (descriptor := hold(folder)) is None:  # a server that started at this moment took it for one left behind
        folder = Path(mkdtemp(prefix=_PREFIX))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(descriptor)


def hold(folder: Path) -> int | None:
    """Sees to it that nobody removes the folder while this process lives.

    Returns:
        The descriptor that holds it until it is closed; None where the folder is there no more.
    """
    import fcntl

    try:
        descriptor = _opened(folder)
    except FileNotFoundError:
        return None
    with suppress(OSError):  # a file system without locks: nobody can lock it to remove it either
        fcntl.flock(descriptor, fcntl.LOCK_SH)
    if _is_at(descriptor, folder):
        return descriptor
    os.close(descriptor)
    return None


def remove_left_behind() -> None:
    """Removes folders that this user's servers left when they were killed, and no others."""
    if sys.platform == "win32":
        return
    for folder in Path(gettempdir()).glob(f"{_PREFIX}*"):
        with suppress(OSError):  # another user's, a link, no folder, or just removed by another
            descriptor = _opened(folder)
            try:
                if os.fstat(descriptor).st_uid == os.geteuid():
                    _remove_unless_held(descriptor, folder)
            finally:
                os.close(descriptor)


def _remove_unless_held(descriptor: int, folder: Path) -> None:
    import fcntl

    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)  # refused while a process of its server lives
    if _is_at(descriptor, folder):
        shutil.rmtree(folder, ignore_errors=True)


def _opened(folder: Path) -> int:
    return os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)


def _is_at(descriptor: int, folder: Path) -> bool:
    """Whether the path still leads to what was opened."""
    try:
        return os.path.samestat(os.fstat(descriptor), os.lstat(folder))
    except FileNotFoundError:
        return False
