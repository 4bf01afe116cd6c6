"""Where a server listens: who can reach it, and whether the port is free. Knows no application."""

from __future__ import annotations

import ipaddress
import socket

from hilum.errors import SettingsRefused


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach `host`."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def check_port_is_free(host: str, port: int) -> None:
    """Refuses a port that another process listens on: Granian would share it, and each answer half of the requests.

    Raises:
        SettingsRefused: the port is taken, or the address is none of this machine's.
    """
    address = host.strip("[]")
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
        except OSError as error:
            reason = error.strerror or str(error)
            raise SettingsRefused(
                f"cannot listen on {host}:{port} ({reason}); choose another with HILUM_PORT or --port"
            ) from error
