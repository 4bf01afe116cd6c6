"""What is seen of a store of images that is not there: predictions go on, health says so, and it heals."""

from __future__ import annotations

import shutil
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from fastapi.testclient import TestClient
from web_serving import serving, tiny_service

from hilum.services import image_keeper
from hilum.services.history import History
from hilum.storage.blobs import folder_url, open_blobs
from hilum.storage.database import Database
from hilum.storage.schema import upgrade
from s3_server import reach_s3

MISSING = "images of predictions are not stored: the bytes could not be kept: there is no such bucket or folder"


@pytest.fixture
def bucket(s3_server: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """The name of a bucket that is not there."""
    reach_s3(s3_server, monkeypatch)
    return f"bucket-{uuid.uuid4()}"


@pytest.fixture
def s3(s3_server: str, bucket: str) -> Any:
    """A client that makes and removes it."""
    return boto3.client("s3", endpoint_url=s3_server)


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    """An empty one."""
    database = Database(f"sqlite:///{tmp_path / 'hilum.db'}")
    upgrade(database)
    yield database
    database.close()


def reasons(client: TestClient) -> list[str]:
    """What health says is wrong; it is 200, and the server ready, whatever that is."""
    health = client.get("/health")
    found: list[str] = health.json()["degraded_reasons"]
    assert (health.status_code, client.get("/health/ready").status_code) == (200, 200)
    assert health.json()["status"] == ("degraded" if found else "ok")
    return found


def until(is_so: Callable[[], bool]) -> None:
    """Waits for what a thread does."""
    end = time.monotonic() + 30
    while not is_so():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_a_missing_bucket_shows_before_anything_is_predicted_and_heals(
    tiny_bundle: Path, slice_png: bytes, bucket: str, s3: Any, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(image_keeper, "_REST_S", 0.05)
    history = History(database, open_blobs(f"s3://{bucket}/hospital", "slices"))
    with serving(tiny_service(tiny_bundle), history=history) as client:
        until(lambda: reasons(client) == [MISSING])
        answer = client.post("/predict", files={"file": ("a.png", slice_png)}).json()
        assert (answer["stored"], answer["warnings"][-1]) == (True, "image-not-stored")

        s3.create_bucket(Bucket=bucket)
        until(lambda: reasons(client) == [])
        answer = client.post("/predict", files={"file": ("a.png", slice_png)}).json()
        assert client.get(f"/predictions/{answer['id']}").json()["image_kept"] is True
    assert [entry["Key"].split("/")[1] for entry in s3.list_objects_v2(Bucket=bucket)["Contents"]] == ["slices"]


def test_a_server_that_keeps_no_images_does_not_look_for_the_bucket(
    tiny_bundle: Path, bucket: str, database: Database
) -> None:
    history = History(database, open_blobs(f"s3://{bucket}/hospital", "slices"), keeps_images=False)
    with serving(tiny_service(tiny_bundle), history=history) as client:
        assert reasons(client) == []
    assert not history._images._thread.is_alive()


@pytest.mark.parametrize("store", ["folder", "s3"])
def test_a_store_that_goes_away_shows_though_nothing_is_predicted(
    tiny_bundle: Path, bucket: str, s3: Any, database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    store: str,
) -> None:  # fmt: skip
    monkeypatch.setattr(image_keeper, "_LOOK_S", 0.05)
    folder = tmp_path / "blobs"
    s3.create_bucket(Bucket=bucket)
    history = History(database, open_blobs(folder_url(folder) if store == "folder" else f"s3://{bucket}", "slices"))
    looked: list[None] = []
    require_there = history._images._blobs.require_there
    monkeypatch.setattr(history._images._blobs, "require_there", lambda: looked.append(require_there()))
    with serving(tiny_service(tiny_bundle), history=history) as client:
        until(lambda: len(looked) > 1)
        assert reasons(client) == []
        if store == "folder":
            shutil.rmtree(folder)
        else:
            s3.delete_bucket(Bucket=bucket)
        until(lambda: reasons(client) != [])
        assert reasons(client)[0].startswith("images of predictions are not stored: ")


def test_the_reason_does_not_say_where_the_store_is(tiny_bundle: Path, bucket: str, database: Database) -> None:
    history = History(database, open_blobs(f"s3://{bucket}/hospital", "slices"))
    with serving(tiny_service(tiny_bundle), history=history) as client:
        until(lambda: reasons(client) == [MISSING])
        assert bucket not in client.get("/health").text
