"""Labelled images that were acknowledged are there after `kill -9`, on both databases."""

from __future__ import annotations

import http.client
import json
import threading
import time
import uuid
from itertools import count
from pathlib import Path
from typing import Any

import psutil
from web_serving import END, MULTIPART, part

from hilum.services.state import LABELLED
from hilum.storage import labelled_images, upload_batches
from hilum.storage.blobs import folder_url, open_blobs
from hilum.storage.database import Database
from hilum.storage.labelled_images import ImageFilter
from hilum.storage.schema import upgrade
from labelled_samples import drawn_png
from server_process import RunningServer, running_server

_KILLS = 3


def _upload_until_killed(server: RunningServer, seeds: Any, acknowledged: list[dict[str, Any]]) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
    try:
        while True:
            files = b"".join(part(drawn_png(next(seeds)), name="files") for _ in range(3))
            body = part(b"normal", name="label", filename=None) + files + END
            connection.request("POST", "/upload-data", body, MULTIPART)
            response = connection.getresponse()
            answer = json.loads(response.read())
            if response.status == 201:
                acknowledged.append(answer)
    except (OSError, http.client.HTTPException, ValueError):
        connection.close()


def _kill_tree(server: RunningServer) -> None:
    root = psutil.Process(server.process.pid)
    for process in (*root.children(recursive=True), root):
        process.kill()
    server.process.wait(20)


def test_acknowledged_images_survive_being_killed(tiny_bundle: Path, database_url: str, tmp_path: Path) -> None:
    database = Database(database_url)
    upgrade(database)
    settings = {"HILUM_DATABASE_URL": database_url, "HILUM_HOME": str(tmp_path / "home")}
    acknowledged: list[dict[str, Any]] = []
    seeds = count(1)
    for _ in range(_KILLS):
        with running_server(tiny_bundle, tmp_path / "log", settings) as server:
            before = len(acknowledged)
            client = threading.Thread(target=_upload_until_killed, args=(server, seeds, acknowledged))
            client.start()
            while len(acknowledged) < before + 3:
                time.sleep(0.01)
            _kill_tree(server)
            client.join()
    assert len(acknowledged) >= 3 * _KILLS

    with database.reading() as connection:
        kept = {str(row.id): row for row in labelled_images.page(connection, ImageFilter(), before=None, limit=10_000)}
        batches = len({row.batch_id for row in kept.values()})
        for report in acknowledged:
            assert upload_batches.find(connection, uuid.UUID(report["batch_id"])) is not None
            assert {item["image_id"] for item in report["items"]} <= set(kept)
    database.close()
    blobs = open_blobs(folder_url(tmp_path / "home" / "blobs"), LABELLED)
    for row in kept.values():
        assert row.kept_sha256 is not None
        assert blobs.get(row.kept_sha256)
    assert len(kept) == 3 * batches  # no batch is there in part
    assert sorted(row.sequence for row in kept.values()) == list(range(1, len(kept) + 1))
