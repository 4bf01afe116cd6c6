"""The server process itself: it starts fast and small, refuses to be open, and drains."""

from __future__ import annotations

import http.client
import json
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from server_process import running_server
from web_serving import END, MULTIPART, part

from hilum.errors import BundleInvalid, SettingsRefused
from hilum.settings import Settings
from hilum.web.server import check_exposure, check_port_is_free, is_loopback, serve


def test_starts_fast_stays_small_logs_json_and_drains(tiny_bundle: Path, slice_png: bytes, tmp_path: Path) -> None:
    log = tmp_path / "log"
    with running_server(tiny_bundle, log) as running:
        assert running.started_in_s < 10  # about 1.2 s alone; the suite shares the machine
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
    assert sum(line.get("route") == "/predict" for line in lines) == 101
    assert {"request_id", "route", "status", "latency_ms", "model_version"} <= set(lines[-1])
    assert "JANE" not in log.read_text()


def test_refuses_to_be_open_to_others_unless_told() -> None:
    with pytest.raises(SettingsRefused, match="HILUM_ALLOW_OPEN"):
        serve(Settings(host="0.0.0.0"))
    check_exposure(Settings(host="0.0.0.0", allow_open=True))
    check_exposure(Settings(host="::1"))


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
        check_port_is_free("127.0.0.1", other.getsockname()[1])
    check_port_is_free("127.0.0.1", 0)


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
