"""Starts a process that works beside a server and ends with it. Knows not what it works on."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping, Sequence


def start_child(command: Sequence[str], environment: Mapping[str, str]) -> subprocess.Popen[bytes]:
    """Starts a process that ends when its standard input closes, as it does however this process ends.

    A group of its own spares it Ctrl-C. In a session of its own Linux (autogroup) would not heed its low priority.

    Args:
        command: the program and its arguments.
        environment: besides this process's.
    """
    return subprocess.Popen(command, env=os.environ | dict(environment), stdin=subprocess.PIPE, process_group=0)
