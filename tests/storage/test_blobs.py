"""What every store of blobs promises: a folder and a server that speaks S3."""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from hilum.errors import BlobCorrupt, BlobMissing, BlobStoreUnavailable, BlobStoreUnsupported
from hilum.storage.blobs import Blobs, folder_url, open_blobs

SOME_DAY = datetime(2026, 5, 4, 12, tzinfo=UTC)


def test_bytes_come_back_under_their_hash(blobs: Blobs) -> None:
    for data in (b"", b"slice", bytes(range(256)) * 4000):
        digest = blobs.put(data)
        assert digest == hashlib.sha256(data).hexdigest()
        assert blobs.get(digest) == data


def test_the_same_bytes_are_kept_once(blobs: Blobs) -> None:
    assert blobs.put(b"slice") == blobs.put(b"slice")
    (entry,) = blobs.entries()
    assert (entry.digest, entry.size) == (hashlib.sha256(b"slice").hexdigest(), 5)
    assert entry.changed_at.tzinfo is not None


def test_what_is_not_there_is_missing_and_can_be_deleted(blobs: Blobs) -> None:
    digest = blobs.put(b"slice")
    blobs.delete(digest)
    blobs.delete(digest)
    with pytest.raises(BlobMissing):
        blobs.get(digest)
    assert list(blobs.entries()) == []


def test_bytes_set_aside_are_found_until_they_are_deleted_and_are_their_own(blobs: Blobs) -> None:
    digest, other = blobs.put(b"slice"), blobs.put(b"other")
    blobs.set_aside(digest, SOME_DAY)
    (first,) = blobs.aside()
    assert ([entry.digest for entry in blobs.entries()], blobs.get(digest)) == ([other], b"slice")
    assert (first.digest, first.since) == (digest, SOME_DAY)

    blobs.put(b"slice")
    blobs.set_aside(digest, SOME_DAY)
    blobs.delete_aside(first)
    blobs.delete_aside(first)
    blobs.bring_back(first)  # it is gone
    (second,) = blobs.aside()
    assert blobs.get(digest) == b"slice"
    blobs.bring_back(second)

    assert (list(blobs.aside()), {entry.digest for entry in blobs.entries()}) == ([], {digest, other})
    assert blobs.get(digest) == b"slice"
    blobs.set_aside("0" * 64, SOME_DAY)  # it never was
    assert list(blobs.aside()) == []


def test_only_bytes_of_their_kind_are_aside(tmp_path: Path) -> None:
    url = folder_url(tmp_path)
    digests = [open_blobs(url, kind).put(kind.encode()) for kind in ("slices", "labelled")]
    for kind, digest in zip(("slices", "labelled"), digests, strict=True):
        open_blobs(url, kind).set_aside(digest, SOME_DAY)
    (tmp_path / "aside" / "slices" / "notes.txt").write_text("left by hand")
    assert [one.digest for one in open_blobs(url, "slices").aside()] == digests[:1]
    with pytest.raises(BlobMissing):
        open_blobs(url, "slices").get(digests[1])


@pytest.mark.parametrize("name", ["", "../../etc/passwd", "A" * 64, "0" * 63, "0" * 63 + "/"])
def test_only_hashes_name_blobs(blobs: Blobs, name: str) -> None:
    with pytest.raises(BlobMissing):
        blobs.get(name)
    with pytest.raises(BlobMissing):
        blobs.delete(name)


def test_threads_put_the_same_bytes_at_once(blobs: Blobs) -> None:
    data = b"slice" * 50_000
    threads = [threading.Thread(target=blobs.put, args=(data,)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert blobs.get(hashlib.sha256(data).hexdigest()) == data


def test_damaged_bytes_are_never_handed_out_and_heal_when_put_again(tmp_path: Path) -> None:
    blobs = open_blobs(folder_url(tmp_path), "slices")
    digest = blobs.put(b"slice")
    (tmp_path / "slices" / digest[:2] / digest).write_bytes(b"slicE")

    with pytest.raises(BlobCorrupt):
        blobs.get(digest)
    blobs.put(b"slice")
    assert blobs.get(digest) == b"slice"


def test_what_is_there_already_counts_as_put_now_and_is_not_written_anew(tmp_path: Path) -> None:
    blobs = open_blobs(folder_url(tmp_path), "slices")
    digest = blobs.put(b"slice")
    file = tmp_path / "slices" / digest[:2] / digest
    os.utime(file, (0, 0))
    before = file.stat().st_ino

    blobs.put(b"slice")

    (entry,) = blobs.entries()
    assert entry.changed_at.year > 1970  # or it would be taken for one that nobody needs
    assert file.stat().st_ino == before


def test_kinds_are_kept_apart(tmp_path: Path) -> None:
    url = folder_url(tmp_path)
    digest = open_blobs(url, "slices").put(b"slice")
    with pytest.raises(BlobMissing):
        open_blobs(url, "uploads").get(digest)


def test_a_store_that_does_not_answer_is_unavailable(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name, value in {"AWS_ENDPOINT_URL": "http://127.0.0.1:1", "AWS_ALLOW_HTTP": "true", "AWS_REGION": "x",
                        "AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x"}.items():  # fmt: skip
        monkeypatch.setenv(name, value)
    blobs = open_blobs("s3://bucket", "slices")
    with pytest.raises(BlobStoreUnavailable):
        blobs.put(b"slice")
    for ask in (
        blobs.get,
        blobs.delete,
        lambda digest: blobs.set_aside(digest, SOME_DAY),
        lambda _: list(blobs.aside()),
    ):
        with pytest.raises(BlobStoreUnavailable):
            ask("0" * 64)
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(BlobStoreUnavailable):
        open_blobs(folder_url(tmp_path / "file" / "folder"), "slices")


@pytest.mark.parametrize(("failures", "is_kept"), [(2, True), (1000, False)])
def test_a_store_that_fails_is_asked_three_times(monkeypatch: pytest.MonkeyPatch, failures: int, is_kept: bool) -> None:
    with failing_store(failures) as store:
        for name, value in {"AWS_ENDPOINT_URL": store.address, "AWS_ALLOW_HTTP": "true", "AWS_REGION": "x",
                            "AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x"}.items():  # fmt: skip
            monkeypatch.setenv(name, value)
        blobs = open_blobs("s3://bucket", "slices")
        with nullcontext() if is_kept else pytest.raises(BlobStoreUnavailable):
            blobs.put(b"slice")
        assert store.asked == 3


@dataclass
class FailingStore:
    """An object store that answers 500 to its first requests."""

    address: str
    asked: int = 0


@contextmanager
def failing_store(failures: int) -> Iterator[FailingStore]:
    """Serves one on loopback."""

    class Handler(BaseHTTPRequestHandler):
        def do_PUT(self) -> None:
            self.rfile.read(int(self.headers["content-length"]))
            store.asked += 1
            self.send_response(500 if store.asked <= failures else 200)
            self.send_header("etag", '"1"')
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Says nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        store = FailingStore(f"http://127.0.0.1:{server.server_port}")
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield store
        server.shutdown()


@pytest.mark.parametrize(
    "url", ["", "/srv/blobs", "http://localhost/blobs", "ftp://host/x", "memory://", "s3://", "s3:///prefix"]
)
def test_refuses_what_is_no_address_of_its_stores(url: str) -> None:
    with pytest.raises(BlobStoreUnsupported):
        open_blobs(url, "slices")
