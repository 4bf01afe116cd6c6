"""Databases with tables, and stores of each kind."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest

from hilum.storage.blobs import Blobs, folder_url, open_blobs
from hilum.storage.database import Database
from hilum.storage.schema import upgrade
from s3_server import reach_s3


@pytest.fixture
def empty_database(database_url: str) -> Iterator[Database]:
    """A database without tables."""
    database = Database(database_url)
    yield database
    database.close()


@pytest.fixture
def database(empty_database: Database) -> Database:
    """A database with the newest tables."""
    upgrade(empty_database)
    return empty_database


@pytest.fixture
def s3_blobs(s3_server: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Blobs:
    """Blobs in a new bucket of a local S3 server, reached as an operator would say it."""
    reach_s3(s3_server, monkeypatch)
    bucket = f"bucket-{abs(hash(tmp_path))}"
    boto3.client("s3", endpoint_url=s3_server).create_bucket(Bucket=bucket)
    return open_blobs(f"s3://{bucket}/hospital", "slices")


@pytest.fixture(params=["folder", "s3"])
def blobs(request: pytest.FixtureRequest, tmp_path: Path) -> Blobs:
    """Blobs of each kind in turn."""
    if request.param == "s3":
        stored: Blobs = request.getfixturevalue("s3_blobs")
        return stored
    return open_blobs(folder_url(tmp_path / "blobs"), "slices")
