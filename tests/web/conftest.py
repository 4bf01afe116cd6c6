"""Clients for the web tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from web_serving import serving, tiny_service


@pytest.fixture(scope="module")
def client(tiny_bundle: Path) -> Iterator[TestClient]:
    """A client of an app that serves the tiny bundle."""
    with serving(tiny_service(tiny_bundle)) as client:
        yield client
