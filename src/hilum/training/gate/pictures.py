"""The pictures a gate is fitted on: real ones as they are, variants of them, and drawn ones. Knows no model."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np
from numpy.typing import NDArray

from hilum.dataset.manifest import DatasetManifest, ImageRecord
from hilum.dataset.neighbours import joined
from hilum.dataset.series import series_groups
from hilum.imaging.decode import decode
from hilum.imaging.overview import overview_of
from hilum.imaging.phantoms import draw_phantom
from hilum.inference.gate import overview_picture
from hilum.inference.gate_manifest import CHEST
from hilum.training.gate.drawings import draw_abdomen, draw_head, draw_pattern, draw_screen
from hilum.training.gate.variants import Grey, lung_share, picture_variant, reduced, section_variant, without_lungs

ABDOMEN, HEAD, INVERTED, PATTERN, SCREEN = "abdominal_ct", "head_ct", "inverted_ct", "pattern", "screens"

_SECTIONS = frozenset({CHEST, ABDOMEN, HEAD, "brain_mri", "head_mri", "cardiac_mri", "breast_mri"})
"""Kinds varied as cross-sections are; the others are varied as pictures are."""

_INVERTIBLE = frozenset({"chest_xray"})
"""Kinds that are shown with either polarity."""

_CHEST_VARIANTS = 5
_LUNGLESS_VARIANTS = 2
_LUNG_SHARE = 0.25
"""Of the body: a slice with less shows an apex or a base, from which its lungless variant would differ too little."""

_INVERTED_SHARE = 0.35
_REAL_VARIANTS = 500
"""Variants of each kind of other picture in all, at least 12 and at most 40 of one picture."""

_DRAWN = {
    SCREEN: (400, draw_screen),
    PATTERN: (300, draw_pattern),
    HEAD: (300, draw_head),
    ABDOMEN: (300, draw_abdomen),
}
_PHANTOMS, _FIRST_PHANTOM_SEED = 120, 1000
_REAL_WEIGHT = 4.0
"""Of a picture someone took, beside one that was drawn or had its lungs filled."""


@dataclass(frozen=True)
class Source:
    """One real picture.

    Attributes:
        kind: what it shows.
        group: pictures of one origin share it.
        name: its path in its data set.
        grey: reduced, to make variants of.
        seen: (side, side, 1) uint8, what the gate sees of it when it is served, times 255.
    """

    kind: str
    group: str
    name: str
    grey: Grey
    seen: NDArray[np.uint8]

    @classmethod
    def of(cls, kind: str, group: str, name: str, pixels: NDArray[np.uint8] | NDArray[np.float32], side: int) -> Source:
        """The source that a decoded picture makes."""
        return cls(kind, group, name, reduced(pixels), seen_by_gate(pixels, side))


@dataclass(frozen=True)
class Pictures:
    """Rows to fit on.

    Attributes:
        pixels: (N, side, side, 1) uint8, what the gate would see, times 255.
        kinds: what each shows.
        folds: (N,) the fold each is held out in.
        weights: (N,) how much each counts within its kind.
        sources: (N,) index of the real picture it is, unchanged; -1 for variants and drawings.
    """

    pixels: NDArray[np.uint8]
    kinds: tuple[str, ...]
    folds: NDArray[np.int64]
    weights: NDArray[np.float64]
    sources: NDArray[np.int64]


def read_chest_sources(manifest: DatasetManifest, side: int) -> tuple[list[Source], list[Source]]:
    """The chest slices to fit on (all but the test split, each once) and the test split as delivered.

    Groups are series as far as names and near copies tell, so that a held-out slice's patient was not learnt.
    """
    group_of = {record.sha256: record.group for record in series_groups(manifest).records}

    def read(record: ImageRecord) -> Source:
        group = f"{manifest.source}:{group_of[record.sha256]}"
        return Source.of(CHEST, group, record.path, _pixels(manifest.path_of(record)), side)

    fit = manifest.trainable_records(splits=("train", "valid", ""))
    return [read(record) for record in fit], [read(record) for record in manifest.of_split("test")]


def read_other_sources(manifest: DatasetManifest, side: int) -> list[Source]:
    """Everything that is no chest CT; a picture's class is its kind.

    Near copies are grouped, and so are names of one kind that begin alike up to the first underscore: exports of one
    patient are usually called that way.
    """
    records = manifest.trainable_records()
    keys = [(record.group, _name_stem(record)) for record in records]
    pairs = []
    for part in (0, 1):
        first: dict[str, int] = {}
        for row, key in enumerate(keys):
            pairs.append((first.setdefault(key[part], row), row))
    left, right = np.array(pairs, np.intp).T
    roots = joined(len(records), [(left, right)])
    return [
        Source.of(record.class_name, f"{manifest.source}:{root}", record.path, _pixels(manifest.path_of(record)), side)
        for record, root in zip(records, roots, strict=True)
    ]


def make_pictures(
    sources: Sequence[Source],
    folds: Sequence[int],
    side: int,
    *,
    seed: int = 0,
    on_source: Callable[[int, int], None] | None = None,
) -> Pictures:
    """Varies the real pictures and draws the others.

    Args:
        sources: the real pictures, which come first and in this order.
        folds: the fold each is held out in; what is made from it goes with it.
        side: of the gate's input.
        seed: of the variants and drawings.
        on_source: called with sources done and sources in all.
    """
    rng = np.random.default_rng(seed)
    counts = {kind: sum(source.kind == kind for source in sources) for kind in {source.kind for source in sources}}
    rows = _Rows(side)
    for index, (source, fold) in enumerate(zip(sources, folds, strict=True)):
        rows.append(source.seen, source.kind, fold, _REAL_WEIGHT, source=index)
    for index, (source, fold) in enumerate(zip(sources, folds, strict=True)):
        _add_variants(rows, source, fold, counts[source.kind], rng)
        if on_source:
            on_source(index + 1, len(sources))
    _add_drawings(rows, max(folds) + 1, rng)
    return rows.stacked()


def _add_variants(rows: _Rows, source: Source, fold: int, of_kind: int, rng: np.random.Generator) -> None:
    n = _CHEST_VARIANTS if source.kind == CHEST else int(np.clip(_REAL_VARIANTS // of_kind, 12, 40))
    for _ in range(n):
        rows.add(_variant(source, rng), source.kind, fold, _REAL_WEIGHT)
    if source.kind == CHEST and lung_share(source.grey) >= _LUNG_SHARE:
        for _ in range(_LUNGLESS_VARIANTS):
            rows.add(section_variant(without_lungs(source.grey, rng), rng), ABDOMEN, fold, 1.0)
    if source.kind in {CHEST, ABDOMEN} and rng.random() < _INVERTED_SHARE:
        rows.add(np.subtract(255, section_variant(source.grey, rng)), INVERTED, fold, 1.0)


def _add_drawings(rows: _Rows, n_folds: int, rng: np.random.Generator) -> None:
    for kind, (n, draw) in _DRAWN.items():
        for row in range(n):
            drawn = draw(rng)
            varied = section_variant(drawn, rng) if kind in _SECTIONS else picture_variant(drawn, rng)
            rows.add(drawn if rng.random() < 0.2 else varied, kind, row % n_folds, 1.0)
    for row in range(_PHANTOMS):
        phantom = draw_phantom(_FIRST_PHANTOM_SEED + row, side=256)
        rows.add(section_variant(phantom, rng) if row % 2 else phantom, CHEST, row % n_folds, 1.0)


def _variant(source: Source, rng: np.random.Generator) -> Grey:
    if source.kind in _SECTIONS:
        return section_variant(source.grey, rng)
    varied = picture_variant(source.grey, rng)
    is_inverted = source.kind in _INVERTIBLE and rng.random() < 0.25
    return np.subtract(255, varied) if is_inverted else varied


class _Rows:
    def __init__(self, side: int) -> None:
        self._side = side
        self._pixels: list[Grey] = []
        self._rest: list[tuple[str, int, float, int]] = []

    def add(self, grey: Grey, kind: str, fold: int, weight: float) -> None:
        self.append(seen_by_gate(np.ascontiguousarray(grey), self._side), kind, fold, weight)

    def append(self, picture: NDArray[np.uint8], kind: str, fold: int, weight: float, *, source: int = -1) -> None:
        self._pixels.append(picture)
        self._rest.append((kind, fold, weight, source))

    def stacked(self) -> Pictures:
        kinds, folds, weights, sources = zip(*self._rest, strict=True)
        return Pictures(np.stack(self._pixels), kinds, np.array(folds), np.array(weights), np.array(sources))


def _name_stem(record: ImageRecord) -> str:
    return f"{record.class_name}/{PurePosixPath(record.path).stem.split('_')[0]}"


def _pixels(path: Path) -> NDArray[np.uint8] | NDArray[np.float32]:
    return decode(path.read_bytes(), name=path.name).pixels


def seen_by_gate(pixels: NDArray[np.uint8] | NDArray[np.float32], side: int) -> NDArray[np.uint8]:
    """(side, side, 1): what a gate sees of (H, W) grey values when it is served, times 255."""
    return np.rint(overview_picture(overview_of(pixels), side) * 255).astype(np.uint8)
