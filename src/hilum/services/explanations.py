"""The pictures of a past prediction: from memory, or made again from the kept image. Knows no HTTP."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from hilum.errors import PredictionNotFound
from hilum.services.history import History
from hilum.services.prediction import PredictionService
from hilum.services.recent import RecentPrediction

Result = TypeVar("Result")


async def show(
    service: PredictionService, history: History | None, prediction_id: str, draw: Callable[[RecentPrediction], Result]
) -> Result:
    """Computes `draw(pictures)` for a prediction.

    Raises:
        PredictionNotFound: it is not, or no longer, kept.
        ImageNotKept: it is too old to be remembered, and its image is not kept.
        ModelChanged: it would have to be explained by another model than the one that answered.
        HistoryUnavailable: the history does not answer.
        Overloaded: too many wait already.
    """
    try:
        return await service.show(prediction_id, draw)
    except PredictionNotFound:
        if history is None:
            raise
    stored = await history.find(prediction_id)
    data = await history.image(stored)
    return await service.show_again(prediction_id, data, draw, answered_by=stored.model_version)
