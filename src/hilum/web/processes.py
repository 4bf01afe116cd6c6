"""The processes that serve one port: what they share, and that none outlives its parent. Knows no application.

Imports nothing of what serves: the process that starts the others uses it too, and stays small.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hilum.web.count_folder import count_folder, hold, remove_left_behind

SHARED_COUNTS = "PROMETHEUS_MULTIPROC_DIR"
"""Prometheus' client reads it when it is imported: a folder where each process keeps its numbers for the others."""


@contextmanager
def counting_together(n_processes: int) -> Iterator[None]:
    """Has the processes started in the block count together, if they are more than one.

    What a server that was killed had counted is removed.
    """
    os.environ.pop(SHARED_COUNTS, None)
    remove_left_behind()
    if n_processes == 1:
        yield
        return
    with count_folder() as folder:
        os.environ[SHARED_COUNTS] = str(folder)
        try:
            yield
        finally:
            del os.environ[SHARED_COUNTS]


def keep_counts() -> None:
    """Keeps what is counted together until this process ends, too: it drains after its parent was killed."""
    if folder := os.environ.get(SHARED_COUNTS):
        hold(Path(folder))


def end_when_told() -> None:
    """Has SIGTERM and SIGINT end a process that does not serve yet; it begins with its parent's handlers, as a fork.

    The server's own take their place once it serves.
    """
    if threading.current_thread() is threading.main_thread():
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, signal.SIG_DFL)


def does_the_chores() -> bool:
    """Whether this is the process, of those that serve together, which starts what trains and what scores batches.

    One is enough. The lock ends with the process, so that the one that follows it is the one.
    """
    folder = os.environ.get(SHARED_COUNTS)
    if folder is None:
        return True
    import fcntl

    descriptor = os.open(Path(folder) / "chores", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return False
    return True


def end_with_parent() -> None:
    """Has this process drain and end once the one that started it died, as by `kill -9`.

    It would otherwise go on serving unseen, and keep the port from the server that is started next.
    """
    parent = multiprocessing.parent_process()
    if parent is None:
        return

    def wait() -> None:
        parent.join()
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=wait, name="parent", daemon=True).start()
