"""H21, H26, H57, H61: what names a person is in no answer, row, blob, log, metric or backup."""

from __future__ import annotations

import hashlib
import http.client
import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from click.testing import CliRunner

import dicom_files as dcm
from canaries import CANARY, CANARY_FILES, canary_dicom, canary_zip
from hilum.cli import main
from server_process import RunningServer, running_server

_LISTS = ("/predictions", "/predictions.csv", "/metrics", "/health", "/monitoring/drift", "/dataset", "/dataset/images")
_TEXT = CANARY[:9].encode()


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the server of these tests keeps its state; its log lies beside it."""
    return tmp_path_factory.mktemp("canary") / "home"


@pytest.fixture(scope="module")
def server(tiny_bundle: Path, home: Path) -> Iterator[RunningServer]:
    """A real server that logs everything it may."""
    settings = {"HILUM_HOME": str(home), "HILUM_LOG_LEVEL": "debug"}
    with running_server(tiny_bundle, home.parent / "log", settings) as running:
        yield running


def post(server: RunningServer, path: str, part: str, *files: tuple[str, bytes]) -> tuple[int, bytes]:
    """Status and body of an upload."""
    boundary = "b0undary"
    body = b"".join(
        f'--{boundary}\r\nContent-Disposition: form-data; name="{part}"; filename="{name}"\r\n\r\n'.encode()
        + data + b"\r\n"
        for name, data in files
    ) + f"--{boundary}--\r\n".encode()  # fmt: skip
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
    try:
        connection.request("POST", path, body, {"Content-Type": f"multipart/form-data; boundary={boundary}"})
        response = connection.getresponse()
        return response.status, response.read() + repr(response.getheaders()).encode()
    finally:
        connection.close()


def test_nothing_that_names_a_person_gets_through(
    server: RunningServer, home: Path, tiny_bundle: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    seen: list[bytes] = []
    ids: list[str] = []
    for name, make in CANARY_FILES.items():
        assert _TEXT in make(), name
        status, body = post(server, "/predict", "file", (f"{CANARY}-{name}", make()))
        assert status == 200, (name, body)
        seen.append(body)
        ids.append(json.loads(body[: body.rindex(b"}") + 1])["id"])
    status, body = post(server, "/predict/batch", "files", (f"{CANARY}.zip", canary_zip()), (CANARY, canary_dicom()))
    assert status == 200
    seen.append(body)
    for path, expected in (("/predict/study", 200), ("/upload-data", 201)):
        status, body = post(server, path, "files", (f"{CANARY}.zip", canary_zip(folder="normal")))
        assert status == expected, body
        seen.append(body)
    refused = canary_dicom(preamble=CANARY.encode().ljust(128, b"\x00"))
    for data in (refused, canary_dicom({0x00080060: ("CS", CANARY[:16])}), canary_dicom()[:-900], CANARY.encode()):
        status, body = post(server, "/predict", "file", (CANARY, data))
        assert status in {415, 422}
        seen.append(body)
    for one in ids:
        for path in ("", "/receipt", "/explanation", "/slice"):
            status, body = server.get(f"/predictions/{one}{path}")
            assert status == 200, path
            seen.append(body)
    seen += [server.get(path)[1] for path in _LISTS]
    monkeypatch.setenv("HILUM_HOME", str(home))
    backup, events = tmp_path / "backup.tar", tmp_path / "events.jsonl"
    assert CliRunner().invoke(main, ["db", "backup", str(backup)]).exit_code == 0
    CliRunner().invoke(main, ["audit-log", "export", "--out", str(events)])

    files = [file for file in (*home.rglob("*"), home.parent / "log", *tmp_path.rglob("*")) if file.is_file()]
    assert len([file for file in files if "blobs" in file.parts]) >= len(CANARY_FILES) - 2
    leaks = [str(file) for file in files if _TEXT in file.read_bytes() or CANARY[:9].encode("utf-16-le") in
             file.read_bytes()]  # fmt: skip
    assert leaks == []
    assert not [body[:200] for body in seen if _TEXT in body]
    assert "JANE" not in (home.parent / "log").read_text()


def test_kept_copies_can_be_replayed(
    server: RunningServer, tiny_bundle: Path, home: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HILUM_HOME", str(home))
    for name, make in CANARY_FILES.items():
        data = make()
        _, body = post(server, "/predict", "file", (name, data))
        answer = json.loads(body[: body.rindex(b"}") + 1])
        receipt = tmp_path / "receipt.json"
        receipt.write_bytes(server.get(f"/predictions/{answer['id']}/receipt")[1])
        told = json.loads(receipt.read_text())
        assert told["image_sha256"] == hashlib.sha256(data).hexdigest()
        assert told["kept_sha256"] != told["image_sha256"]
        (tmp_path / "sent").write_bytes(data)
        for options in ([], ["--image", str(tmp_path / "sent")]):
            result = CliRunner().invoke(main, ["replay", str(receipt), "--model", str(tiny_bundle), *options])
            assert result.exit_code == 0, (name, options, result.output)


def test_pixels_that_show_text_are_not_kept(server: RunningServer, home: Path) -> None:
    data = canary_dicom({0x00280301: ("CS", "YES"), 0x00281052: ("DS", "-1001")})
    _, body = post(server, "/predict", "file", ("a.dcm", data))
    answer = json.loads(body[: body.rindex(b"}") + 1])

    assert {"burned-in-annotation", "image-not-stored"} <= set(answer["warnings"])
    assert answer["decision"] == "review"
    assert server.get(f"/predictions/{answer['id']}/explanation")[0] == 200  # from memory
    with closing(sqlite3.connect(home / "hilum.db")) as database:
        query = "SELECT is_image_kept, kept_sha256 FROM predictions ORDER BY created_at DESC LIMIT 1"
        assert database.execute(query).fetchone() == (0, None)


def test_text_in_elements_that_are_read_breaks_no_log_line(
    tiny_bundle: Path, server: RunningServer, home: Path
) -> None:
    for tag, vr, value in (
        (0x00100010, "PN", 'a\x1b[31m\r\n{"level":"error"}'),
        (0x00080005, "CS", "ISO_IR 999\\\r\n"),
        (0x0020000E, "UI", "1." * 5000),
        (0x00281053, "DS", "1\r\n"),
        (0x00080060, "CS", "C\r\nT"),
    ):
        status, _ = post(server, "/predict", "file", ("a.dcm", dcm.dicom({tag: (vr, value)})))
        assert status in {200, 422}, hex(tag)
    for line in (home.parent / "log").read_text().splitlines():
        json.loads(line)
