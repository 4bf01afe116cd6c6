"""A server that is to stop does not wait for those who watch a training run."""

from __future__ import annotations

import http.client
import time
from pathlib import Path

from hilum.services.state import StatePlaces, prepare
from hilum.storage import training_runs
from server_process import running_server
from training_run_samples import stored_run


def test_a_stream_of_events_ends_when_the_server_stops(tiny_bundle: Path, tmp_path: Path) -> None:
    places = StatePlaces(tmp_path / "home")
    prepare(places)
    database = places.open_database()
    with database.writing() as connection:
        training_runs.add(connection, stored_run())
    database.close()
    with running_server(tiny_bundle, tmp_path / "log", {"HILUM_WORKER": "false"}) as server:
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
        connection.request("GET", f"/training-runs/{stored_run().id}/events")
        stream = connection.getresponse()
        assert stream.read1(10) == b"event: run"
        asked_at = time.monotonic()
        server.process.terminate()
        assert stream.read().endswith(b"\n\n")
        assert server.process.wait(60) == 0
        assert time.monotonic() - asked_at < 25  # a second alone; 30 is when the server would be killed
        connection.close()
