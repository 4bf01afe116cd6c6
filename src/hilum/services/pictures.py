"""The picture of a prediction at full size, in greys or Hounsfield units. Needs no model and knows no HTTP."""

from __future__ import annotations

import io

import numpy as np

from hilum.errors import HounsfieldMissing, ImageNotKept, InputRejected, PredictionNotFound
from hilum.imaging.dicom import read_hounsfield
from hilum.imaging.formats import recognise
from hilum.inference.explain import encode_png, grey_picture
from hilum.services.history import History
from hilum.services.prediction import PredictionService
from hilum.services.recent import PREVIEW_SIDE

MOST_SIDE = 2048


async def slice_png(service: PredictionService, history: History | None, prediction_id: str, *, side: int) -> bytes:
    """The decoded slice as a grey PNG, its long side at most `side`.

    Up to `PREVIEW_SIDE` it comes from memory where it can; above it, or later, from the kept image. Where that is not
    kept, a remembered preview serves.

    Raises:
        PredictionNotFound: it is not, or no longer, kept.
        ImageNotKept: it is too old to be remembered, and its image is not kept.
        HistoryUnavailable: the history does not answer.
        Overloaded: too many wait already.
    """
    if side <= PREVIEW_SIDE or history is None:
        try:
            return await _from_memory(service, prediction_id, side)
        except PredictionNotFound:
            if history is None:
                raise
    try:
        data = await _kept_image(history, prediction_id)
    except (ImageNotKept, PredictionNotFound) as error:
        try:
            return await _from_memory(service, prediction_id, side)
        except PredictionNotFound:
            raise error from None
    decode, limits = service.decoders.decode, service.limits

    def draw() -> bytes:
        return encode_png(grey_picture(decode(data, limits=limits).pixels, max_side=side))

    return await service.workers.run(draw)


async def hounsfield_npy(service: PredictionService, history: History, prediction_id: str) -> bytes:
    """The slice in Hounsfield units as a NumPy file of (H, W) little-endian int16.

    Raises:
        PredictionNotFound: it is not kept.
        ImageNotKept: its image is not.
        HounsfieldMissing: the image is no DICOM slice.
        HistoryUnavailable: the history does not answer.
        Overloaded: too many wait already.
    """
    data = await _kept_image(history, prediction_id)
    limits = service.limits

    def read() -> bytes:
        if recognise(data) != "dicom":
            raise HounsfieldMissing("only DICOM slices have Hounsfield units; this image came as greys")
        try:
            hounsfield = read_hounsfield(data, limits)
        except InputRejected as error:
            raise HounsfieldMissing(error.detail) from error
        written = io.BytesIO()
        np.save(written, hounsfield.astype("<i2"), allow_pickle=False)
        return written.getvalue()

    return await service.workers.run(read)


async def _from_memory(service: PredictionService, prediction_id: str, side: int) -> bytes:
    return await service.show(prediction_id, lambda recent: recent.slice_png(side))


async def _kept_image(history: History, prediction_id: str) -> bytes:
    return await history.image(await history.find(prediction_id))
