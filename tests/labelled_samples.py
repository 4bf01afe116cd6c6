"""Labelled images to take in: drawn slices, and copies of them of every kind the audit finds."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from drawn_dataset import draw_varied
from hilum.services.datasets import Datasets
from hilum.services.image_reading import IncomingFile
from hilum.services.state import LABELLED
from hilum.storage.blobs import folder_url, open_blobs
from hilum.storage.database import Database
from hilum.storage.schema import upgrade

CLASSES = ("adenocarcinoma", "normal")


def drawn_png(seed: int, label: int = 0) -> bytes:
    """A slice that is no copy of any other seed's."""
    return encoded(draw_varied(seed, label))


def encoded(picture: NDArray[np.uint8], suffix: str = ".png", *flags: int) -> bytes:
    """The picture as a file."""
    return cv2.imencode(suffix, picture, list(flags))[1].tobytes()


def copies_of(seed: int, label: int = 0) -> dict[str, bytes]:
    """Files that show the slice of a seed: bytes, pixels, nearly the picture, another crop."""
    picture = draw_varied(seed, label)
    darker = cv2.resize(np.clip(picture * 0.85, 0, 255).astype(np.uint8), None, fx=1.5, fy=1.5)
    rows, columns = np.flatnonzero(picture.max(axis=1) > 40), np.flatnonzero(picture.max(axis=0) > 40)
    inner = picture[rows[0] + 2 : rows[-1] - 1, columns[0] + 2 : columns[-1] - 2]
    return {
        "bytes": encoded(picture),
        "pixels": encoded(picture, ".png", cv2.IMWRITE_PNG_COMPRESSION, 1),
        "near": encoded(darker),
        "jpeg": encoded(picture, ".jpg"),
        "crop": encoded(inner),
    }


def incoming(*files: tuple[bytes, str], split: str = "train", group: str | None = None) -> list[IncomingFile]:
    """Files of classes, in their order."""
    is_test = split == "test"
    return [
        IncomingFile(index, data, name, "test" if is_test else "train", group)
        for index, (data, name) in enumerate(files)
    ]


def many(first: int, count: int, *, split: str = "train") -> list[IncomingFile]:
    """So many slices of each class, all different."""
    return incoming(
        *((drawn_png(first + 2 * n + label, label), name) for n in range(count) for label, name in enumerate(CLASSES)),
        split=split,
    )


@contextmanager
def opened_datasets(url: str, folder: Path, *, is_audited: bool = False) -> Iterator[Datasets]:
    """Labelled images in the database at `url`, which gets the newest tables, with their bytes in `folder`."""
    database = Database(url)
    upgrade(database)
    datasets = Datasets(database, open_blobs(folder_url(folder), LABELLED), is_audited=is_audited)
    yield datasets
    datasets.close()
