"""A server that speaks S3, and how a process reaches it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest


@contextmanager
def serving_s3() -> Iterator[str]:
    """The address of one on loopback."""
    from moto.server import ThreadedMotoServer  # takes a second, which most tests need not wait for

    server = ThreadedMotoServer("127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


def reach_s3(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Sets the variables with which an operator names it."""
    for name, value in {
        "AWS_ENDPOINT_URL": address,
        "AWS_ALLOW_HTTP": "true",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_REGION": "us-east-1",
    }.items():
        monkeypatch.setenv(name, value)
