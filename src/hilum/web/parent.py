"""Ends a serving process whose parent is gone. Knows no application."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading


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
