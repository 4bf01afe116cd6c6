"""H21, H26, H57, H61: what names a person is in no answer, row, blob, log, metric or backup."""

from __future__ import annotations

import hashlib
import http.client
import json
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

import pytest
from click.testing import CliRunner

import dicom_files as dcm
from canaries import CANARY, CANARY_FILES, canary_dicom, canary_zip
from hilum.cli import main
from series_files import series_slice
from server_process import RunningServer, running_server

_LISTS = ("/predictions", "/predictions.csv", "/metrics", "/health", "/monitoring/drift", "/dataset", "/dataset/images")
_RESULTS = ("results", "results.csv", "results.jsonl", "results.ndjson")
_TEXT, _WIDE = CANARY[:9].encode(), CANARY[:9].encode("utf-16-le")


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


def post(
    server: RunningServer, path: str, part: str, *files: tuple[str, bytes], accept: str = "*/*"
) -> tuple[int, bytes]:
    """Status and body of an upload."""
    boundary = "b0undary"
    body = b"".join(
        f'--{boundary}\r\nContent-Disposition: form-data; name="{part}"; filename="{name}"\r\n\r\n'.encode()
        + data + b"\r\n"
        for name, data in files
    ) + f"--{boundary}--\r\n".encode()  # fmt: skip
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
    try:
        headers = {"Content-Type": f"multipart/form-data; boundary={boundary}", "Accept": accept}
        connection.request("POST", path, body, headers)
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

    assert len([file for file in home.rglob("*") if file.is_file() and "blobs" in file.parts]) >= len(CANARY_FILES) - 2
    assert leaks(home, tmp_path) == []
    assert not [body[:200] for body in seen if _TEXT in body]


def leaks(home: Path, *others: Path) -> list[str]:
    """Files that name the person, among the state, the log of all processes beside it, and others."""
    folders = (home, *others)
    files = [file for folder in folders for file in folder.rglob("*") if file.is_file()] + [home.parent / "log"]
    named = [file for file in files if any(text in file.read_bytes() for text in (_TEXT, _WIDE))]
    assert "JANE" not in (home.parent / "log").read_text()
    return [str(file) for file in named]


def test_a_report_names_the_patient_to_its_sender_only(server: RunningServer, home: Path) -> None:
    slices = [series_slice(number, patient=CANARY) for number in range(2)]
    for path, part, files, expected in (
        ("/predict", "file", slices[:1], 200),
        ("/predict/study", "files", slices, 200),
        ("/predict", "file", [canary_dicom()], 422),
        ("/predict", "file", [series_slice(0, patient=CANARY, series=CANARY)], 422),
    ):
        status, body = post(server, path, part, *((CANARY, data) for data in files), accept="application/dicom")
        assert status == expected, body
        assert (_TEXT in body) == (expected == 200)
    assert leaks(home) == []


def test_what_a_batch_is_sent_names_nobody(server: RunningServer, home: Path) -> None:
    status, body = post(server, "/batches", "files", (f"{CANARY}.zip", canary_zip()), (CANARY, canary_dicom()))
    assert status == 202, body
    assert leaks(home) == []  # while the images wait
    batch = json.loads(body[: body.rindex(b"}") + 1])["id"]
    until = time.monotonic() + 120
    while json.loads(told := server.get(f"/batches/{batch}")[1])["ended_at"] is None and time.monotonic() < until:
        time.sleep(0.2)
    seen = [body, told] + [server.get(f"/batches/{batch}/{name}")[1] for name in _RESULTS]
    assert json.loads(told)["answered"] >= len(CANARY_FILES)
    assert not [body[:200] for body in seen if _TEXT in body]
    assert leaks(home) == []


def test_requests_that_name_somebody_are_not_written_down(server: RunningServer, home: Path) -> None:
    _, body = post(server, "/predict", "file", ("a.png", CANARY_FILES["a.png"]()))
    found = f"/predictions/{json.loads(body[: body.rindex(b'}') + 1])['id']}"
    label = json.dumps({"confirmed_class": CANARY, "is_new_label": True})
    name = quote(CANARY)
    for method, path, sent in (
        ("POST", f"{found}/feedback", label),
        ("POST", f"{found}/feedback", json.dumps({CANARY: CANARY})),
        ("POST", f"{found}/feedback", CANARY),
        ("GET", f"/{name}", None),
        ("GET", f"/predictions/{name}", None),
        ("GET", f"/predictions?search={name}&{name}={name}", None),
        ("GET", f"/predictions.csv?since={name}", None),
        (CANARY[:3], f"/models/{name}", None),
    ):
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
        headers = {"User-Agent": CANARY, "X-Request-ID": CANARY, "Referer": CANARY, "Content-Type": "application/json"}
        connection.request(method, path, sent, headers)
        response = connection.getresponse()
        response.read()
        assert 200 <= response.status < 500, path
        connection.close()
    assert leaks(home) == []


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
