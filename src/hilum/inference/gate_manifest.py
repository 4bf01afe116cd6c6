"""What a bundle says of its gate. Data only: judging pictures is the gate's work."""

from __future__ import annotations

from typing import Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

CHEST = "chest_ct"
"""The kind that is let through."""


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class GateGolden(_Strict):
    """A phantom's expected score: the gate must reproduce it before it serves."""

    phantom_seed: int
    chest_score: float


class GateFigure(_Strict):
    """How many of `n` pictures the gate refused, with Wilson's 95 % interval of the share."""

    pictures: str = Field(description="which pictures, and by which fit they were judged")
    refused: int
    unusual: int = Field(description="let through with a warning")
    n: int
    low: float
    high: float


class GateManifest(_Strict):
    """The section `gate` of `manifest.json`.

    Attributes:
        file: the gate's graph, which lies in the bundle.
        side: of the square the whole picture is put into, in pixels.
        sees_overview: the gate was fitted on pictures reduced to their overview first, as the body is searched in;
            gates before this were not.
        kinds: what a picture may be, in the order of the graph's logits; `chest_ct` is one of them.
        words: each kind in words that follow "looks like".
        refuse_below: chest score below which a picture is refused.
        unusual_below: chest score below which a picture is let through with a warning.
        golden: phantoms and their scores.
        fitted_on: pictures the gate was fitted on, by kind and origin, variants not counted.
        measured: by pictures the gate was not fitted on.
    """

    file: str
    side: int = Field(ge=32, le=512)
    sees_overview: bool = False
    kinds: tuple[str, ...]
    words: dict[str, str]
    refuse_below: float = Field(ge=0, le=1)
    unusual_below: float = Field(ge=0, le=1)
    golden: tuple[GateGolden, ...] = Field(min_length=1)
    fitted_on: dict[str, int]
    measured: tuple[GateFigure, ...] = ()

    @model_validator(mode="after")
    def _kinds_agree(self) -> Self:
        if CHEST not in self.kinds or len(set(self.kinds)) < max(2, len(self.kinds)):
            raise ValueError(f"kinds must be at least two different names, {CHEST} among them")
        if missing := set(self.kinds) - set(self.words):
            raise ValueError(f"words lacks {', '.join(sorted(missing))}")
        if self.unusual_below < self.refuse_below:
            raise ValueError("unusual_below must not be lower than refuse_below")
        return self
