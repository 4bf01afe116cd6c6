"""What was acknowledged is there after `kill -9`, on both databases."""

from __future__ import annotations

import hashlib
import http.client
import json
import threading
import time
from pathlib import Path

import psutil
from web_serving import END, MULTIPART, part

from hilum.services.state import SLICES
from hilum.storage.blobs import folder_url, open_blobs
from hilum.storage.database import Database
from hilum.storage.predictions import PredictionFilter, page
from hilum.storage.schema import upgrade
from server_process import RunningServer, running_server

_KILLS = 3


def _ask_until_killed(server: RunningServer, body: bytes, acknowledged: list[str]) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
    try:
        while True:
            connection.request("POST", "/predict", body, MULTIPART)
            answer = json.loads(connection.getresponse().read())
            if answer.get("stored"):
                acknowledged.append(answer["id"])
    except (OSError, http.client.HTTPException, ValueError):
        connection.close()


def _kill_tree(server: RunningServer) -> None:
    root = psutil.Process(server.process.pid)
    for process in (*root.children(recursive=True), root):
        process.kill()
    server.process.wait(20)


def test_acknowledged_predictions_survive_being_killed(
    tiny_bundle: Path, slice_png: bytes, database_url: str, tmp_path: Path
) -> None:
    database = Database(database_url)
    upgrade(database)
    settings = {"HILUM_DATABASE_URL": database_url, "HILUM_HOME": str(tmp_path / "home")}
    acknowledged: list[str] = []
    for _ in range(_KILLS):
        with running_server(tiny_bundle, tmp_path / "log", settings) as server:
            before = len(acknowledged)
            body = part(slice_png) + END
            clients = [
                threading.Thread(target=_ask_until_killed, args=(server, body, acknowledged)) for _client in range(4)
            ]
            for client in clients:
                client.start()
            while len(acknowledged) < before + 5:
                time.sleep(0.01)
            _kill_tree(server)
            for client in clients:
                client.join()
    assert len(acknowledged) >= 5 * _KILLS

    with database.reading() as connection:
        kept = {str(row.id): row for row in page(connection, PredictionFilter(), before=None, limit=100_000)}
    database.close()
    assert set(acknowledged) <= set(kept)
    blobs = open_blobs(folder_url(tmp_path / "home" / "blobs"), SLICES)
    assert blobs.get(hashlib.sha256(slice_png).hexdigest()) == slice_png
