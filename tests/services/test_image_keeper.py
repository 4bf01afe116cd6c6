"""Images of predictions are kept, and a store that fails holds no answer up."""

from __future__ import annotations

import hashlib
import time
from pathlib import Path
from typing import NoReturn

import pytest

from hilum.errors import BlobStoreUnavailable
from hilum.services.image_keeper import ImageKeeper
from hilum.storage.blobs import folder_url, open_blobs


def test_a_store_that_failed_is_left_alone_for_a_while_and_then_asked_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    blobs = open_blobs(folder_url(tmp_path), "slices")
    keeper = ImageKeeper(blobs, keeps_images=True)
    asked: list[bytes] = []

    def fail(file: bytes) -> NoReturn:
        asked.append(file)
        raise BlobStoreUnavailable("it does not answer")

    with monkeypatch.context() as patch:
        patch.setattr(blobs, "put", fail)
        assert keeper.put([b"one", b"two"]) == [None, None]
        assert keeper.put([b"three"]) == [None]
    assert asked == [b"one"]
    assert keeper.trouble == "it does not answer"
    assert [record.message for record in caplog.records] == ["images cannot be kept"]

    monkeypatch.setattr(time, "monotonic", lambda now=time.monotonic: now() + 60)
    kept = keeper.put([b"one", None])
    assert kept == [hashlib.sha256(b"one").hexdigest(), None]
    assert keeper.get(str(kept[0])) == b"one"
    assert keeper.trouble is None
    keeper.close()
