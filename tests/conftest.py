"""Shared fixtures: a tiny model bundle, the slices to ask it about, real data and databases."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import cv2
import pytest

from hilum.imaging.phantoms import draw_phantom
from postgresql_server import PostgresqlServer, find_binaries, postgresql_server
from s3_server import serving_s3
from tiny_bundle import write_tiny_bundle


@pytest.fixture(scope="session")
def tiny_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle with four classes and a graph of one convolution."""
    return write_tiny_bundle(tmp_path_factory.mktemp("bundle") / "tiny")


@pytest.fixture(scope="session")
def slice_png() -> bytes:
    """A synthetic slice as PNG."""
    _, encoded = cv2.imencode(".png", draw_phantom(3))
    return encoded.tobytes()


@pytest.fixture(scope="session")
def reference_data() -> Path:
    """The real reference data set, where this machine has it."""
    home = Path(os.environ.get("HILUM_DATA") or Path(__file__).parents[2] / "shared/data")
    folder = home / "chest-ct-scan-images"
    if not folder.is_dir():
        pytest.skip("the reference data set is neither at HILUM_DATA nor at ../shared/data")
    return folder


@pytest.fixture(scope="session")
def postgresql() -> Iterator[PostgresqlServer]:
    """A PostgreSQL server of this run's own, where one is installed."""
    binaries = find_binaries()
    if binaries is None:
        pytest.skip("no PostgreSQL server is installed; on Debian and Ubuntu: apt-get install postgresql")
    with postgresql_server(binaries) as server:
        yield server


@pytest.fixture(scope="session")
def s3_server() -> Iterator[str]:
    """The address of a server that speaks S3."""
    with serving_s3() as address:
        yield address


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """An empty database of each kind in turn."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'hilum.db'}"
        return
    with request.getfixturevalue("postgresql").database() as url:
        yield url
