"""Tells long answers that the server is to stop, so that it does not wait for them. Knows signals, no route."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from types import FrameType


def when_stopping(call: Callable[[], None]) -> None:
    """Calls `call` on SIGTERM and SIGINT, besides what the server's event loop does then.

    An event loop hears of signals by a file descriptor, so the handler itself is free. Outside of the main thread, as
    in tests, there are no signals and nothing is called.
    """
    if threading.current_thread() is not threading.main_thread():
        return
    for number in (signal.SIGTERM, signal.SIGINT):
        before = signal.getsignal(number)

        def handle(received: int, frame: FrameType | None, before: object = before) -> None:
            call()
            if callable(before):
                before(received, frame)

        signal.signal(number, handle)
        signal.siginterrupt(number, False)
