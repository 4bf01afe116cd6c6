"""Where a server listens: who reaches it, whether the port is free, how many connections. Knows no application."""

from __future__ import annotations

import ipaddress
import socket
import sys

from hilum.errors import SettingsRefused

_CONNECTIONS, _OTHER_FILES = 2048, 256
"""Connections one process takes at once, and what else it has open. Those that say nothing end after 10 seconds, and a
thousand of them must not keep a probe from being answered."""


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach `host`."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def free_address(host: str, port: int) -> str:
    """The numeric address of `host`, which Granian asks for, where the port is free on it.

    A port that another process listens on is refused: Granian would share it, and each answer half of the requests.

    Raises:
        SettingsRefused: the port is taken, or the address is none of this machine's.
    """
    address = host.strip("[]")
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
            return str(probe.getsockname()[0])
        except OSError as error:
            reason = error.strerror or str(error)
            raise SettingsRefused(
                f"cannot listen on {host}:{port} ({reason}); choose another with HILUM_PORT or --port"
            ) from error


def room_for_connections() -> int:
    """How many connections the system lets this process and those it starts have open, once they may have more."""
    if sys.platform == "win32":
        return _CONNECTIONS
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _CONNECTIONS + _OTHER_FILES
    if soft != resource.RLIM_INFINITY and soft < wanted:
        soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return _CONNECTIONS if soft == resource.RLIM_INFINITY else max(64, min(_CONNECTIONS, soft - _OTHER_FILES))
