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
_TO_END = frozenset({signal.SIGTERM, signal.SIGINT})


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
    """Has SIGTERM and SIGINT end this process, which does not serve yet; the server's own handlers come later."""
    if threading.current_thread() is threading.main_thread():
        for number in _TO_END:
            signal.signal(number, signal.SIG_DFL)


def have_forks_end_when_told() -> None:
    """Has each process that this one forks end when told from its first moment.

    A fork begins with its parent's handlers, which would note the signal for a parent that is not there. So signals
    wait while a process is forked, and reach it once it has handlers of its own.
    """
    if not hasattr(os, "register_at_fork"):
        return

    def begin() -> None:
        end_when_told()
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _TO_END)

    os.register_at_fork(
        before=lambda: signal.pthread_sigmask(signal.SIG_BLOCK, _TO_END),
        after_in_parent=lambda: signal.pthread_sigmask(signal.SIG_UNBLOCK, _TO_END),
        after_in_child=begin,
    )


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
