"""What the web tests share: apps around a fake or tiny model, and multipart bodies made byte by byte."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from fastapi.testclient import TestClient

from hilum.inference.predictor import Prediction
from hilum.services.dataset_desk import DatasetDesk
from hilum.services.history import History
from hilum.services.model import ServedModel, load_model
from hilum.services.prediction import PredictionService
from hilum.services.workers import Workers
from hilum.storage.blobs import folder_url, open_blobs
from hilum.storage.database import Database
from hilum.storage.schema import upgrade
from hilum.web.app import create_app
from hilum.web.upload_limits import UploadLimits

HOSTS = frozenset({"localhost", "127.0.0.1", "[::1]"})
BOUNDARY = b"b0undary"
MULTIPART = {"content-type": "multipart/form-data; boundary=b0undary"}


@contextmanager
def serving(
    service: PredictionService,
    *,
    history: History | None = None,
    datasets: DatasetDesk | None = None,
    limits: UploadLimits | None = None,
    raises: bool = True,
    is_ready: bool = True,
) -> Iterator[TestClient]:
    """A client of an app around `service`, once its model is loaded."""
    app = create_app(service, history=history, datasets=datasets, upload_limits=limits, allowed_hosts=HOSTS)
    with TestClient(app, base_url="http://localhost", raise_server_exceptions=raises) as client:
        if is_ready:
            service.loaded.wait(10)
        yield client


def tiny_service(bundle: Path, *, threads: int = 1, max_waiting: int = 8) -> PredictionService:
    """A service of the tiny bundle."""
    return PredictionService(lambda: load_model(bundle), workers=Workers(threads=threads, max_waiting=max_waiting))


def open_history(
    url: str,
    folder: Path,
    *,
    keeps_images: bool = True,
    retention_days: int = 0,
    is_audited: bool = False,
    lock_wait_s: float = 5.0,
) -> History:
    """A history in the database at `url`, which gets the newest tables, with its images in `folder`."""
    database = Database(url, lock_wait_s=lock_wait_s)
    upgrade(database)
    blobs = open_blobs(folder_url(folder), "slices")
    return History(database, blobs, keeps_images=keeps_images, retention_days=retention_days, is_audited=is_audited)


class HeldPredictor:
    """Answers like the model it wraps, but only once `release` is set."""

    def __init__(self, model: ServedModel) -> None:
        """Wraps the predictor of `model`."""
        self.manifest = model.predictor.manifest
        self._inner = model.predictor
        self.entered = threading.Event()
        self.release = threading.Event()

    def predict(self, data: bytes, **asked: Any) -> Prediction:
        """Waits, then answers."""
        self.entered.set()
        assert self.release.wait(20)
        return self._inner.predict(data, **asked)


def part(data: bytes, *, name: str = "file", filename: str | None = "slice.png", extra: bytes = b"") -> bytes:
    """One part of a multipart body."""
    disposition = f'Content-Disposition: form-data; name="{name}"'.encode()
    if filename is not None:
        disposition += f'; filename="{filename}"'.encode()
    return b"--" + BOUNDARY + b"\r\n" + disposition + b"\r\n" + extra + b"\r\n" + data + b"\r\n"


END = b"--" + BOUNDARY + b"--\r\n"
