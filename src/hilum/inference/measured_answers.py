"""What a bundle answered each image it was measured on. Knows images by the sha256 of their files, never by name."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from hilum.errors import BundleInvalid

ANSWERS = "answers.json"


class MeasuredAnswer(BaseModel):
    """What one image of the split was answered.

    Attributes:
        sha256: of its file.
        true_class: its label.
        predicted_class: the most probable.
        probabilities: calibrated, in the order of the class names.
    """

    model_config = ConfigDict(frozen=True)

    sha256: str
    true_class: str
    predicted_class: str
    probabilities: tuple[float, ...]


class MeasuredAnswers(BaseModel):
    """The answers behind a bundle's metrics.

    Attributes:
        split: that was measured.
        dataset_digest: of the data set.
        class_names: of the model.
        answers: of every image, in the order of the data set.
    """

    model_config = ConfigDict(frozen=True)

    split: str
    dataset_digest: str
    class_names: tuple[str, ...]
    answers: tuple[MeasuredAnswer, ...]

    def cell(self, true_class: str, predicted_class: str) -> list[MeasuredAnswer]:
        """Answers of one cell of the confusion matrix, the surest first."""
        found = [one for one in self.answers if (one.true_class, one.predicted_class) == (true_class, predicted_class)]
        return sorted(found, key=lambda one: -max(one.probabilities))

    def save(self, path: Path) -> None:
        """Writes them."""
        path.write_text(self.model_dump_json() + "\n")

    @classmethod
    def load(cls, path: Path) -> MeasuredAnswers:
        """Reads what `save` wrote.

        Raises:
            BundleInvalid: the file is missing or malformed.
        """
        try:
            return cls.model_validate_json(path.read_bytes())
        except (OSError, ValidationError) as error:
            raise BundleInvalid(f"{path.name} of {path.parent.name!r} cannot be read; restore the bundle") from error
