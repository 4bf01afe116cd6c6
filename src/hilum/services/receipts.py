"""Makes a prediction again from its receipt, or says why the answer is not the same. Knows no HTTP."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from hilum.errors import InputRejected, LookAlikesMissing, ReplayFailed
from hilum.inference.predictor import Prediction, Predictor
from hilum.services.provenance import preprocessing_digest, software_versions
from hilum.storage import predictions
from hilum.storage.database import Database
from hilum.storage.predictions import StoredPrediction

SAME_WITHIN = 1e-6
"""The same code on the same processor gives the same numbers; anything larger is another answer."""

_OF_THE_FILE = frozenset({"extension-mismatch", "icc-profile-corrupt"})
"""Warnings about the file's name and metadata, which are not kept. They leave the decision alone."""


class Receipt(BaseModel):
    """What `GET /predictions/{id}/receipt` answers."""

    model_config = ConfigDict(extra="ignore")

    schema_version: Literal[1]
    id: str
    created_at: datetime | None = None
    image_sha256: str = Field(pattern="^[0-9a-f]{64}$")
    kept_sha256: str | None = Field(default=None, pattern="^[0-9a-f]{64}$")
    provenance: dict[str, Any]
    answer: dict[str, Any]

    @property
    def model_version(self) -> str:
        """The bundle that answered."""
        return str(self.answer.get("model_version"))


@dataclass(frozen=True)
class Replayed:
    """An answer that was made again.

    Attributes:
        prediction: the new one.
        largest_difference: between its probabilities and the receipt's.
        other_versions: software that differs from the receipt's, in words.
    """

    prediction: Prediction
    largest_difference: float
    other_versions: tuple[str, ...]


def read_receipt(file: Path) -> Receipt:
    """Reads a receipt.

    Raises:
        ReplayFailed: it cannot be read, or is none.
    """
    try:
        return Receipt.model_validate_json(file.read_bytes())
    except OSError as error:
        raise ReplayFailed(f"{file.name!r} cannot be read: {error.strerror}") from error
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"])) or "the whole"
        raise ReplayFailed(f"{file.name!r} is no receipt: {place}: {first['msg']}") from error


def kept_file_of(stored: StoredPrediction) -> str | None:
    """The sha256 of the copy of a prediction's image that is kept; None where none is."""
    return (stored.kept_sha256 or stored.image_sha256) if stored.is_image_kept else None


def check_record(receipt: Receipt, database: Database) -> bool:
    """Compares a receipt with what the history holds of its prediction.

    Returns:
        False where the history has no prediction of this id: it is of another server, or was deleted by age.

    Raises:
        ReplayFailed: the receipt was altered; the message says in what.
        StorageInvalid: the database does not answer, or is of another revision.
    """
    try:
        key = uuid.UUID(receipt.id)
    except ValueError:
        return False
    with database.reading() as connection:
        stored = predictions.find(connection, key)
        if stored is None:
            return False
        provenance = predictions.find_provenance(connection, stored.provenance_digest) or {}
    recorded = {
        "created_at": stored.created_at,
        "image_sha256": stored.image_sha256,
        "kept_sha256": kept_file_of(stored),
        "provenance": provenance,
        "answer": stored.answer,
    }
    altered = [name for name, value in recorded.items() if getattr(receipt, name) != value]
    if altered:
        raise ReplayFailed(f"the receipt was altered: the history holds another {', '.join(altered)} of {stored.id}")
    return True


def replay(receipt: Receipt, image: bytes, predictor: Predictor) -> Replayed:
    """Classifies the image again and compares.

    Args:
        receipt: what is to be reproduced.
        image: the file that was sent, or the copy that was kept of its pixels.
        predictor: of the model that answered.

    Raises:
        ReplayFailed: the image or the model is another one, or the answer is not the same; the message says which.
    """
    digest = hashlib.sha256(image).hexdigest()
    if digest not in {receipt.image_sha256, receipt.kept_sha256}:
        raise ReplayFailed(f"this is another image: its sha256 is {digest}, the receipt's {receipt.image_sha256}")
    _check_model(receipt, predictor)
    others = _other_versions(receipt)
    look_alikes = receipt.answer.get("look_alikes") or ()
    try:
        prediction = predictor.predict(image, image_sha256=receipt.image_sha256, similar=len(look_alikes))
    except InputRejected as error:
        raise ReplayFailed(_with(f"the image is refused now ({error.code}: {error.detail})", others)) from error
    except LookAlikesMissing as error:
        raise ReplayFailed(_with(f"look-alikes were asked for, and {error.detail}", others)) from error
    differences, largest = _differences(receipt.answer, prediction)
    if differences:
        raise ReplayFailed(_with("; ".join(differences), others))
    return Replayed(prediction, largest, others)


def _check_model(receipt: Receipt, predictor: Predictor) -> None:
    manifest = predictor.manifest
    model = receipt.provenance.get("model") or {}
    if receipt.model_version != manifest.model_version:
        raise ReplayFailed(
            f"{receipt.model_version} answered, and this is {manifest.model_version}; name that bundle with --model"
        )
    files = model.get("files") or {}
    changed = [name for name in manifest.engine_files if files.get(name) != manifest.files.get(name)]
    if changed:
        raise ReplayFailed(f"{', '.join(changed)} of {manifest.model_version} is not the file that answered")
    if receipt.provenance.get("preprocessing_sha256") != preprocessing_digest(manifest.preprocessing):
        raise ReplayFailed(f"{manifest.model_version} prepares slices in another way than when it answered")


def _other_versions(receipt: Receipt) -> tuple[str, ...]:
    then = receipt.provenance.get("versions") or {}
    return tuple(
        f"{name} {now}, then {then.get(name, 'none')}" for name, now in software_versions() if then.get(name) != now
    )


def _differences(answer: dict[str, Any], prediction: Prediction) -> tuple[list[str], float]:
    then = answer.get("probabilities") or {}
    now = prediction.probabilities
    if set(then) != set(now):
        return [f"the classes were {', '.join(then)}"], 1.0
    largest = max(abs(now[name] - then[name]) for name in now)
    found = []
    if answer.get("predicted_class") != prediction.predicted_class:
        found.append(f"the class was {answer.get('predicted_class')}, now {prediction.predicted_class}")
    if largest > SAME_WITHIN:
        found.append(f"a probability differs by {largest:.6f}")
    if not _is_close(answer.get("cancer_probability"), prediction.cancer_probability):
        found.append(
            f"the cancer probability was {answer.get('cancer_probability')}, now {prediction.cancer_probability}"
        )
    if answer.get("decision") != prediction.decision:
        found.append(f"the decision was {answer.get('decision')}, now {prediction.decision}")
    if tuple(answer.get("prediction_set") or ()) != prediction.prediction_set:
        found.append(f"the prediction set was {answer.get('prediction_set')}, now {list(prediction.prediction_set)}")
    warnings = set(answer.get("warnings") or ()) ^ set(prediction.warnings)
    if warnings - _OF_THE_FILE:
        found.append(f"warnings differ by {', '.join(sorted(warnings - _OF_THE_FILE))}")
    match = answer.get("training_match", prediction.training_match)  # early receipts have none
    if match != prediction.training_match:
        found.append(f"the match among training slices was {match}, now {prediction.training_match}")
    if not _are_same_look_alikes(answer.get("look_alikes") or (), prediction.to_dict().get("look_alikes", ())):
        found.append("the look-alikes are others")
    return found, largest


def _is_close(then: object, now: float | None) -> bool:
    if then is None or now is None:
        return then is now
    return isinstance(then, int | float) and abs(then - now) <= SAME_WITHIN


def _are_same_look_alikes(then: Sequence[Mapping[str, Any]], now: Sequence[Mapping[str, Any]]) -> bool:
    if len(then) != len(now):
        return False
    return all(
        _is_close(one.get("similarity"), other["similarity"])
        and all(one.get(name) == other[name] for name in ("class_name", "name", "source"))
        for one, other in zip(then, now, strict=True)
    )


def _with(words: str, others: tuple[str, ...]) -> str:
    return f"{words}; what else differs: {', '.join(others)}" if others else words
