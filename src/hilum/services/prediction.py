"""Answers for one slice: admission, the model, pictures of recent answers. Knows no HTTP and no history."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeVar

from hilum.errors import BundleInvalid, HilumError, ModelChanged, NotReady
from hilum.imaging.decode import Limits
from hilum.inference.neighbours import LookAlike, TrainingMatch
from hilum.inference.predictor import Prediction
from hilum.services.decoding import Decoders
from hilum.services.identifiers import new_id
from hilum.services.model import ServedModel
from hilum.services.provenance import Provenance
from hilum.services.recent import RecentPrediction, RecentPredictions
from hilum.services.workers import Workers

MOST_LOOK_ALIKES = 20

log = logging.getLogger(__name__)

Result = TypeVar("Result")


@dataclass(frozen=True)
class Answer:
    """What a caller is told about one slice.

    Attributes:
        id: names the answer.
        training_match: whether the model was trained on this file or slice, as far as its bundle tells.
        look_alikes: the training slices most like this one; None where they were not asked for.
        provenance: the files and the software it came from.
        image_sha256: of the file that was sent.
        pixel_file: the slice without anything else that came with it; None where it was not asked for, or must not be
            kept.
        statistics: what describes the input.
        wait_ms, compute_ms: spent in line, and on decoding and inference.
        The others are those of `hilum.inference.predictor.Prediction`.
    """

    id: str
    predicted_class: str
    probabilities: dict[str, float]
    cancer_probability: float | None
    decision: Literal["confident", "review"]
    prediction_set: tuple[str, ...]
    warnings: tuple[str, ...]
    model_version: str
    training_match: TrainingMatch | None
    look_alikes: tuple[LookAlike, ...] | None
    provenance: Provenance
    image_sha256: str
    pixel_file: bytes | None
    statistics: dict[str, float]
    wait_ms: float
    compute_ms: float


class PredictionService:
    """Serves one model. Its coroutines run on one event loop, the work on its threads.

    Attributes:
        limits: caps on what is decoded.
        decoders: decode it.
        loaded: set once loading the model has ended, well or not.
        observe: told of each answer once it is computed, and must return at once; None where nobody wants to know.
    """

    def __init__(
        self,
        load: Callable[[], ServedModel],
        *,
        workers: Workers | None = None,
        limits: Limits | None = None,
        decoders: Decoders | None = None,
    ) -> None:
        """Takes the way to load the model; `start` loads it.

        Args:
            load: returns a verified, warm model or raises `BundleInvalid`.
            workers: where predictions are computed.
            limits: caps on what is decoded.
            decoders: decode; closed with the service.
        """
        self.limits = limits or Limits()
        self.workers = workers or Workers()
        self.decoders = decoders or Decoders("none")
        self.loaded = threading.Event()
        self.observe: Callable[[Prediction], None] | None = None
        self._load = load
        self._model: ServedModel | None = None
        self._failure: str | None = None
        self._is_draining = False
        self._recent = RecentPredictions()

    def start(self) -> None:
        """Loads and checks the model on a thread of its own, so that the server answers about its health meanwhile."""
        threading.Thread(target=self._load_model, name="hilum-load-model", daemon=True).start()

    def drain(self) -> None:
        """Stops being ready; what was admitted is still answered."""
        self._is_draining = True

    def close(self) -> None:
        """Waits for what was admitted and ends the threads."""
        self.drain()
        self.workers.close()
        self.decoders.close()

    def replace_model(self, model: ServedModel) -> None:
        """Answers with another model from now on; what is under way keeps the one it began with."""
        self._model = model
        self._failure = None

    @property
    def model(self) -> ServedModel:
        """The model being served.

        Raises:
            NotReady: it is still being loaded.
            BundleInvalid: it could not be loaded.
        """
        if self._model is not None:
            return self._model
        if self._failure is not None:
            raise BundleInvalid(self._failure)
        raise NotReady("the model is being loaded and checked")

    @property
    def degraded_reasons(self) -> tuple[str, ...]:
        """Why the service is not at its best, in words; empty where it is."""
        reasons = []
        if self._failure is not None:
            reasons.append(self._failure)
        elif self._model is None:
            reasons.append("the model is being loaded and checked")
        if self._is_draining:
            reasons.append("the server is shutting down")
        return tuple(reasons)

    @property
    def most_look_alikes(self) -> int:
        """How many look-alikes may be asked for; 0 where the model names none or is not loaded."""
        return MOST_LOOK_ALIKES if self._model is not None and self._model.has_look_alikes else 0

    def check_ready(self) -> None:
        """Returns where predictions can be answered.

        Raises:
            NotReady: the model is being loaded, or the server is shutting down.
            BundleInvalid: the model could not be loaded.
        """
        if self._is_draining:
            raise NotReady("the server is shutting down")
        _ = self.model

    async def predict(
        self,
        data: bytes,
        *,
        name: str | None = None,
        similar: int = 0,
        with_pixel_file: bool = False,
        is_let_in: bool = False,
    ) -> Answer:
        """Classifies one encoded image or DICOM slice.

        Args:
            data: the file's bytes.
            name: what the caller calls the file; compared with its content only.
            similar: so many look-alikes are looked up.
            with_pixel_file: also makes the copy that may be kept.
            is_let_in: see `Workers.run`.

        Raises:
            InputRejected: the bytes are not a usable slice.
            Overloaded: too many wait already.
            LookAlikesMissing: look-alikes are asked for and the model has none.
            NotReady, BundleInvalid: there is no model to answer.
        """
        model = self.model
        predictor = model.predictor
        prediction_id = str(new_id())
        admitted_at = time.perf_counter()

        def work() -> tuple[Prediction, float, float]:
            started_at = time.perf_counter()
            prediction = predictor.predict(
                data,
                name=name,
                limits=self.limits,
                similar=similar,
                with_pixel_file=with_pixel_file,
                decoder=self.decoders.decode,
            )
            self._recent.add(prediction_id, prediction)
            return prediction, started_at, time.perf_counter()

        prediction, started_at, ended_at = await self.workers.run(work, is_let_in=is_let_in)
        if self.observe is not None:
            self.observe(prediction)
        return Answer(
            id=prediction_id,
            predicted_class=prediction.predicted_class,
            probabilities=prediction.probabilities,
            cancer_probability=prediction.cancer_probability,
            decision=prediction.decision,
            prediction_set=prediction.prediction_set,
            warnings=prediction.warnings,
            model_version=prediction.model_version,
            training_match=prediction.training_match,
            look_alikes=prediction.look_alikes,
            provenance=model.provenance,
            image_sha256=prediction.image_sha256,
            pixel_file=prediction.ct_slice.pixel_file,
            statistics=prediction.statistics,
            wait_ms=(started_at - admitted_at) * 1000,
            compute_ms=(ended_at - started_at) * 1000,
        )

    async def show(self, prediction_id: str, draw: Callable[[RecentPrediction], Result]) -> Result:
        """Computes `draw(recent)` for a recent prediction.

        Raises:
            PredictionNotFound: it is not, or no longer, kept.
            Overloaded: too many wait already.
        """
        recent = self._recent.get(prediction_id)
        return await self.workers.run(lambda: draw(recent))

    async def show_again(
        self, prediction_id: str, data: bytes, draw: Callable[[RecentPrediction], Result], *, answered_by: str
    ) -> Result:
        """Computes `draw(recent)` for an earlier prediction whose bytes are at hand, and remembers its pictures.

        Raises:
            ModelChanged: another model serves than the one of version `answered_by`.
            Overloaded: too many wait already.
            NotReady, BundleInvalid: there is no model.
        """
        model = self.model
        predictor = model.predictor
        if model.version != answered_by:
            raise ModelChanged(
                f"{answered_by} answered and {model.version} serves now; it would explain another answer"
            )

        def work() -> Result:
            self._recent.add(prediction_id, predictor.predict(data, limits=self.limits, decoder=self.decoders.decode))
            return draw(self._recent.get(prediction_id))

        return await self.workers.run(work)

    def _load_model(self) -> None:
        try:
            self._model = self._load()
        except HilumError as error:
            self._failure = error.detail
            log.error("the model cannot be served", extra={"reason": error.detail})  # noqa: TRY400 - it says it all
        except Exception:
            self._failure = "the model could not be loaded; the log says why"
            log.exception("loading the model failed")
        finally:
            self.loaded.set()
