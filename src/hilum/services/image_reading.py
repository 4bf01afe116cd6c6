"""What an incoming image is, and what the served model says of it. Knows no store, no label and no other image."""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from hilum.dataset.groups import fingerprint_of
from hilum.dataset.sketch import sketch_of
from hilum.errors import InputRejected, NotAChestCt
from hilum.imaging.body import find_body
from hilum.imaging.decode import Decode, Limits, decode
from hilum.inference.predictor import Prediction
from hilum.services.model import SlicePredictor

_BYTES_IN_FLIGHT = 64_000_000


@dataclass(frozen=True)
class IncomingFile:
    """A file that someone says is an image of a class.

    Attributes:
        index: its place in what was sent.
        data: its bytes.
        class_name: normalised; None where nothing names one.
        split: which part it was sent for.
        group: the patient or series, where the sender names it.
        sha256: of the file as it was first sent, where `data` is the copy that was kept of it.
    """

    index: int
    data: bytes
    class_name: str | None
    split: Literal["train", "test"] = "train"
    group: str | None = None
    sha256: str | None = None


@dataclass(frozen=True)
class ModelAnswer:
    """What the served model says: probabilities by class, and the one from which it counts as confident."""

    predicted_class: str
    probabilities: dict[str, float]
    confident_above: float


@dataclass(frozen=True)
class ReadImage:
    """An image as read; `refusal` says why there are no pixels.

    Attributes:
        sha256, pixels_sha256: of the file's bytes, and of the decoded pixels with their shape.
        fingerprint, sketch: (6912,) uint8 and (128,) float32, by which copies are recognised.
        pixel_file: the pixels in a file of their own, which may be kept; None where they must not be.
        foreign: why the served model's gate does not take it for a chest CT.
        answer: what the served model says; None without a model, or where the gate refuses.
    """

    sha256: str
    size_bytes: int
    refusal: InputRejected | None = None
    pixels_sha256: str | None = None
    file_format: str = ""
    mode: str = ""
    width: int = 0
    height: int = 0
    fingerprint: NDArray[np.uint8] | None = None
    sketch: NDArray[np.float32] | None = None
    pixel_file: bytes | None = None
    foreign: NotAChestCt | None = None
    answer: ModelAnswer | None = None


class ImageReader:
    """Reads images with one model, which is asked about each."""

    def __init__(
        self, predictor: SlicePredictor | None, *, decoder: Decode = decode, limits: Limits | None = None
    ) -> None:
        """Takes the model; without one nothing is judged.

        Args:
            predictor: asked about each image.
            decoder: decodes them.
            limits: caps on what is decoded.
        """
        self._decode = decoder
        self._predictor = predictor
        self._limits = limits or Limits()

    def read_all(self, files: Iterable[IncomingFile], *, workers: int) -> Iterator[tuple[IncomingFile, ReadImage]]:
        """Each file with what was read, in their order; few of them are in memory at a time."""
        pending: deque[tuple[IncomingFile, Future[ReadImage]]] = deque()
        held = 0
        with ThreadPoolExecutor(workers, thread_name_prefix="hilum-intake") as pool:
            for file in files:
                pending.append((file, pool.submit(self.read, file.data, file.sha256)))
                held += len(file.data)
                while len(pending) > 2 * workers or (held > _BYTES_IN_FLIGHT and len(pending) > 1):
                    first, reading = pending.popleft()
                    held -= len(first.data)
                    yield first, reading.result()
            while pending:
                first, reading = pending.popleft()
                yield first, reading.result()

    def read(self, data: bytes, sha256: str | None = None) -> ReadImage:
        """Reads one image, whose file had `sha256` when it was first sent; what is none comes back with the reason."""
        sha256 = sha256 or hashlib.sha256(data).hexdigest()
        foreign: NotAChestCt | None = None
        prediction: Prediction | None = None
        try:
            if self._predictor is not None:
                try:
                    prediction = self._predictor.predict(
                        data, limits=self._limits, with_pixel_file=True, decoder=self._decode
                    )
                except NotAChestCt as error:
                    foreign = error
            ct_slice = (
                self._decode(data, limits=self._limits, with_pixel_file=True)
                if prediction is None
                else prediction.ct_slice
            )
        except InputRejected as error:
            return ReadImage(sha256, len(data), refusal=error)
        body = find_body(ct_slice.pixels)  # not the model's: what is kept is compared over the years
        height, width = ct_slice.pixels.shape
        fingerprint = fingerprint_of(ct_slice.pixels, body)
        return ReadImage(
            sha256,
            len(data),
            pixels_sha256=_pixel_digest(ct_slice.pixels),
            file_format=ct_slice.file_format,
            mode=ct_slice.mode,
            width=width,
            height=height,
            fingerprint=fingerprint,
            sketch=sketch_of(fingerprint[np.newaxis])[0],
            pixel_file=ct_slice.pixel_file,
            foreign=foreign,
            answer=self._answer(prediction),
        )

    def _answer(self, prediction: Prediction | None) -> ModelAnswer | None:
        if prediction is None or self._predictor is None:
            return None
        confident_above = self._predictor.manifest.confident_above
        return ModelAnswer(prediction.predicted_class, prediction.probabilities, confident_above)


def _pixel_digest(pixels: NDArray[np.uint8] | NDArray[np.float32]) -> str:
    """The same for two files whose pixels are the same, whatever their format and whether as integers or floats."""
    values = np.ascontiguousarray(pixels, np.float32)
    if np.array_equal(values, np.rint(values)) and values.min() >= 0 and values.max() <= 255:
        digest = hashlib.sha256(values.astype(np.uint8).tobytes())
    else:
        digest = hashlib.sha256(values.tobytes())
    digest.update(f"{pixels.shape}".encode())
    return digest.hexdigest()
