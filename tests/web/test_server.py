"""The server process itself: it starts fast and small, refuses to be open, and drains."""

from __future__ import annotations

import http.client
import json
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import psutil
import pytest
from web_serving import END, MULTIPART, part

from hilum.errors import BlobStoreUnavailable, BlobStoreUnsupported, BundleInvalid, DatabaseUnavailable, SettingsRefused
from hilum.services.keys import Role, create_key, revoke_key
from hilum.services.state import StatePlaces, can_let_in_anyone, prepare
from hilum.settings import Settings
from hilum.storage.schema import downgrade
from hilum.web.addresses import free_address, is_loopback, room_for_connections
from hilum.web.server import keys_are_required, serve, state_places
from server_process import running_server

_LIVE = b"GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n"


def test_starts_fast_stays_small_logs_json_and_drains(tiny_bundle: Path, slice_png: bytes, tmp_path: Path) -> None:
    log = tmp_path / "log"
    with running_server(tiny_bundle, log) as running:
        assert running.started_in_s < 60  # about 3 s alone; the suite shares the machine, and bench.serve measures it
        body = part(slice_png, filename="JANE.png") + END
        connection = http.client.HTTPConnection("127.0.0.1", running.port, timeout=10)
        for _ in range(100):
            connection.request("POST", "/predict", body, MULTIPART)
            response = connection.getresponse()
            assert response.status == 200
            response.read()
        tree = [psutil.Process(running.process.pid)]
        tree += tree[0].children(recursive=True)
        assert sum(process.memory_info().rss for process in tree) < 400_000_000
        connection.putrequest("POST", "/predict")
        for name, value in (MULTIPART | {"content-length": str(len(body))}).items():
            connection.putheader(name, value)
        connection.endheaders(body[:1000])
        time.sleep(0.3)
        running.process.send_signal(signal.SIGTERM)
        time.sleep(0.3)
        connection.send(body[1000:])
        assert connection.getresponse().status == 200
        assert running.process.wait(20) == 0
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    answered = [line for line in lines if line.get("route") == "/predict"]
    assert len(answered) == 101
    assert {"request_id", "route", "status", "latency_ms", "model_version"} <= set(answered[-1])
    assert "JANE" not in log.read_text()


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, False),
        ({"host": "::1"}, False),
        ({"host": "0.0.0.0"}, True),
        ({"allowed_hosts": "hilum.example"}, True),
        ({"api_keys_required": "true"}, True),
        ({"api_keys_required": True}, True),
        ({"api_keys_required": "FALSE", "host": "0.0.0.0"}, False),
    ],
)
def test_asks_for_keys_where_others_can_reach_it(settings: dict[str, Any], expected: bool) -> None:
    assert keys_are_required(Settings(**settings)) is expected


def test_does_not_start_for_others_until_there_is_a_key(tiny_bundle: Path, tmp_path: Path) -> None:
    settings = Settings(host="0.0.0.0", port=0, model=tiny_bundle, home=tmp_path, history=False)
    with pytest.raises(SettingsRefused, match="hilum keys create --role administer"):
        serve(settings)

    places = state_places(settings)
    with closing(places.open_database()) as database:
        made = create_key(database, "me", Role.ADMINISTER)
        assert can_let_in_anyone(places)
        revoke_key(database, made.stored.prefix)
    assert not can_let_in_anyone(places)
    assert can_let_in_anyone(StatePlaces(tmp_path, "postgresql://hilum@127.0.0.1:1/none"))


@pytest.mark.parametrize(
    ("url", "refusal"), [("ftp://x", BlobStoreUnsupported), ("file:///proc/none", BlobStoreUnavailable)]
)
def test_does_not_start_where_its_images_cannot_lie(
    tiny_bundle: Path, tmp_path: Path, url: str, refusal: type[Exception]
) -> None:
    """Also where the database is ready, and nothing else is to be looked at."""
    prepare(StatePlaces(tmp_path))
    with pytest.raises(refusal):
        serve(Settings(port=0, model=tiny_bundle, home=tmp_path, blobs_url=url))


def test_asks_for_keys_from_the_first_request_on(tiny_bundle: Path, tmp_path: Path) -> None:
    places = StatePlaces(tmp_path / "home")
    prepare(places)
    with closing(places.open_database()) as database:
        made = create_key(database, "me", Role.ADMINISTER)
    with running_server(tiny_bundle, tmp_path / "log", {"HILUM_API_KEYS_REQUIRED": "true"}) as running:
        assert running.get("/limits")[0] == 401
        request = f"GET /limits HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {made.token}\r\n\r\n"
        assert running.exchange(request.encode()).startswith(b"HTTP/1.1 200")
    assert made.token not in (tmp_path / "log").read_text()
    assert f'"actor": "{made.stored.prefix}"' in (tmp_path / "log").read_text()


@pytest.mark.parametrize("origin", ["https://a.example/", "*", "a.example", "ftp://a.example", "https://a/b"])
def test_refuses_an_origin_that_is_none(origin: str) -> None:
    with pytest.raises(ValueError, match="no origin"):
        Settings(allowed_origins=origin)


@pytest.mark.parametrize(
    ("host", "expected"),
    [("127.0.0.1", True), ("127.9.9.9", True), ("::1", True), ("[::1]", True), ("localhost", True),
     ("0.0.0.0", False), ("::", False), ("10.0.0.1", False), ("hilum.example", False)],
)  # fmt: skip
def test_knows_what_only_this_machine_can_reach(host: str, expected: bool) -> None:
    assert is_loopback(host) is expected


def test_refuses_a_folder_without_a_bundle(tmp_path: Path) -> None:
    with pytest.raises(BundleInvalid, match="HILUM_MODEL"):
        serve(Settings(model=tmp_path))


def test_refuses_a_port_that_another_process_listens_on() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other, pytest.raises(SettingsRefused, match="HILUM_PORT"):
        free_address("127.0.0.1", other.getsockname()[1])
    assert free_address("127.0.0.1", 0) == "127.0.0.1"


@pytest.mark.parametrize(("host", "address"), [("localhost", "127.0.0.1"), ("[::1]", "::1"), ("0.0.0.0", "0.0.0.0")])
def test_a_host_is_listened_on_by_its_number(host: str, address: str) -> None:
    assert free_address(host, 0) == address


def test_serves_on_a_host_that_is_a_name(tiny_bundle: Path, tmp_path: Path) -> None:
    with running_server(tiny_bundle, tmp_path / "log", {"HILUM_HOST": "localhost"}) as running:
        assert running.get("/health/live")[0] == 200


def test_an_idle_connection_is_kept_as_long_as_the_setting_says(tiny_bundle: Path, tmp_path: Path) -> None:
    (tmp_path / "patient").mkdir()
    with (
        running_server(tiny_bundle, tmp_path / "log", {"HILUM_KEEP_ALIVE_S": "1"}) as hasty,
        running_server(tiny_bundle, tmp_path / "patient" / "log", {"HILUM_KEEP_ALIVE_S": "3600"}) as patient,
        socket.create_connection(("127.0.0.1", patient.port), timeout=60) as kept,
        socket.create_connection(("127.0.0.1", hasty.port), timeout=60) as closed,
    ):
        for connection in (kept, closed):
            connection.sendall(_LIVE)
            assert connection.recv(65536).startswith(b"HTTP/1.1 200 ")
        assert closed.recv(65536) == b""
        kept.sendall(_LIVE)
        assert kept.recv(65536).startswith(b"HTTP/1.1 200 ")
        patient.process.terminate()
        assert patient.process.wait(60) == 0, "what is idle does not keep it from ending"


def test_serving_loads_no_training_library() -> None:
    script = (
        "import sys, hilum.web.server, hilum.web.app, hilum.services.model\n"
        "print([m for m in ('keras', 'tensorflow', 'torch', 'matplotlib', 'sklearn', 'onnx') if m in sys.modules])"
    )
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)

    assert result.stdout.strip() == "[]"


def test_every_setting_is_documented() -> None:
    documented = (Path(__file__).parents[2] / "docs" / "settings.md").read_text()

    for name, field in Settings.model_fields.items():
        assert f"`HILUM_{name.upper()}`" in documented
        assert field.description


@pytest.mark.parametrize(
    ("soft", "hard", "room", "raised"),
    [
        (1024, 4096, 2048, 2304),
        (1024, 1024, 768, 1024),
        (256, 256, 64, 256),
        (20_000, 20_000, 2048, None),
        (1024, -1, 2048, 2304),
        (-1, -1, 2048, None),
    ],
)
def test_connections_are_as_many_as_the_system_allows_files(
    monkeypatch: pytest.MonkeyPatch, soft: int, hard: int, room: int, raised: int | None
) -> None:
    resource = pytest.importorskip("resource")
    asked: list[tuple[int, int]] = []
    monkeypatch.setattr(resource, "RLIM_INFINITY", -1)
    monkeypatch.setattr(resource, "getrlimit", lambda _: (soft, hard))
    monkeypatch.setattr(resource, "setrlimit", lambda _, limits: asked.append(limits))
    assert room_for_connections() == room
    assert asked == ([] if raised is None else [(raised, hard)])


def test_a_request_waits_less_than_a_worker_for_a_locked_database(tmp_path: Path) -> None:
    """H110: within 2 s, of which answering takes some."""
    places = state_places(Settings(home=tmp_path))
    for one, waits_ms in ((places, 5000), (places.for_serving(), 1500)):
        with closing(one.open_database()) as database, database.reading() as connection:
            assert connection.exec_driver_sql("PRAGMA busy_timeout").scalar() == waits_ms


@pytest.mark.parametrize("damage", ["no-database", "first-page", "cut-short"])
def test_does_not_start_on_a_damaged_database_and_leaves_it_as_it_is(
    tiny_bundle: Path, tmp_path: Path, damage: str
) -> None:
    """H113."""
    places = StatePlaces(tmp_path / "home")
    prepare(places)
    whole = places.default_database.read_bytes()
    damaged = {
        "no-database": b"no database " * 500,
        "first-page": whole[:100] + b"\xff" * 4000,
        "cut-short": whole[:5000],
    }
    places.default_database.write_bytes(damaged[damage])
    with pytest.raises(DatabaseUnavailable, match="database"):
        serve(Settings(port=0, model=tiny_bundle, home=places.home))
    assert places.default_database.read_bytes() == damaged[damage]


def test_the_copy_of_a_migrated_database_is_named_in_the_log(tiny_bundle: Path, tmp_path: Path) -> None:
    places = StatePlaces(tmp_path / "home")
    prepare(places)
    with closing(places.open_database()) as database:
        downgrade(database, "0010")
    with running_server(tiny_bundle, tmp_path / "log"):
        pass
    lines = [json.loads(line) for line in (tmp_path / "log").read_text().splitlines()]
    (told,) = [line["reason"] for line in lines if line["event"].startswith("the database is migrated")]
    assert (places.home / told).is_file()


def test_what_was_admitted_is_answered_though_it_is_told_twice_to_stop(
    tiny_bundle: Path, slice_png: bytes, tmp_path: Path
) -> None:
    """H107: a prediction and an upload, each of which has come in half."""
    predict = part(slice_png) + END
    upload = part(b"normal", name="label", filename=None) + part(slice_png, name="files") + END
    with running_server(tiny_bundle, tmp_path / "log") as running:
        connections = []
        for path, body in (("/predict", predict), ("/upload-data", upload)):
            connection = http.client.HTTPConnection("127.0.0.1", running.port, timeout=20)
            connection.putrequest("POST", path)
            for name, value in (MULTIPART | {"content-length": str(len(body))}).items():
                connection.putheader(name, value)
            connection.endheaders(body[:500])
            connections.append((connection, body))
        time.sleep(0.3)
        for stop in (signal.SIGTERM, signal.SIGTERM, signal.SIGINT):
            running.process.send_signal(stop)
            time.sleep(0.2)
        for connection, body in connections:
            connection.send(body[500:])
        assert [connection.getresponse().status for connection, _ in connections] == [200, 201]
        assert running.process.wait(20) == 0
    with sqlite3.connect(tmp_path / "home" / "hilum.db") as rows:
        counts = [
            rows.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in ("predictions", "labelled_images")
        ]
    rows.close()
    assert counts == [1, 1]
