"""What a labelled data set consists of, frozen: its images, classes, splits, groups and faults. Reads no pixels."""

from __future__ import annotations

import hashlib
import json
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from hilum.errors import DatasetManifestInvalid

Split = Literal["train", "valid", "test", ""]


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ImageRecord(_Strict):
    """One usable image.

    Attributes:
        path: relative to the data set's root, with forward slashes.
        sha256: of the file's bytes.
        class_name: normalised.
        split: as delivered; empty where the data set is not split.
        group: images that must stay on one side of a split share it (same slice, series or patient).
        source: which collection the image came from.
        file_format, mode: what the bytes are, whatever the extension says.
        width, height: pixels.
        warnings: the decoder's, such as `extension-mismatch`.
    """

    path: str
    sha256: str
    class_name: str
    split: Split
    group: str
    source: str
    file_format: str
    width: int
    height: int
    mode: str
    size_bytes: int
    warnings: tuple[str, ...] = ()


class RejectedFile(_Strict):
    """A file in the data set that is no usable image, and why."""

    path: str
    code: str
    detail: str


class Conflict(_Strict):
    """The same bytes under several classes: nobody knows which is right, so none is trained on."""

    sha256: str
    class_names: tuple[str, ...]
    paths: tuple[str, ...]


class DatasetManifest(_Strict):
    """A data set as it was read: what training and evaluation refer to."""

    schema_version: Literal[1] = 1
    root: Path
    source: str
    class_names: tuple[str, ...] = Field(description="sorted")
    records: tuple[ImageRecord, ...] = Field(description="in the order of their paths")
    rejected: tuple[RejectedFile, ...] = ()

    @property
    def digest(self) -> str:
        """sha256 over what decides a training run: class names, and each image's bytes, class, split and group.

        Where the files lie and what they are called is left out: a moved data set is the same data set.
        """
        return digest_of(self.class_names, ((r.sha256, r.class_name, r.split, r.group) for r in self.records))

    @property
    def conflicts(self) -> tuple[Conflict, ...]:
        """Every file content that stands under more than one class."""
        by_content: dict[str, list[ImageRecord]] = defaultdict(list)
        for record in self.records:
            by_content[record.sha256].append(record)
        return tuple(
            Conflict(
                sha256=sha256,
                class_names=tuple(sorted({r.class_name for r in twins})),
                paths=tuple(r.path for r in twins),
            )
            for sha256, twins in by_content.items()
            if len({r.class_name for r in twins}) > 1
        )

    def path_of(self, record: ImageRecord) -> Path:
        """Where the record's file lies."""
        return self.root / record.path

    def label_of(self, record: ImageRecord) -> int:
        """The record's class as an index into `class_names`."""
        return self.class_names.index(record.class_name)

    def of_split(self, *splits: str) -> tuple[ImageRecord, ...]:
        """Every record of these splits, copies and conflicts included: the split as delivered."""
        return tuple(r for r in self.records if r.split in splits)

    def without(self, class_names: Collection[str]) -> DatasetManifest:
        """The data set without the images of these classes."""
        names = tuple(name for name in self.class_names if name not in class_names)
        records = tuple(r for r in self.records if r.class_name in names)
        return self.model_copy(update={"class_names": names, "records": records})

    def trainable_records(self, splits: Collection[str] | None = None) -> tuple[ImageRecord, ...]:
        """What may be trained on: no image with conflicting labels, and each file content once.

        Args:
            splits: take records of these splits only (all, where None); a copy counts as one within them.
        """
        seen = {conflict.sha256 for conflict in self.conflicts}
        kept = []
        for record in self.records:
            if (splits is None or record.split in splits) and record.sha256 not in seen:
                seen.add(record.sha256)
                kept.append(record)
        return tuple(kept)

    def class_counts(self) -> dict[str, dict[str, int]]:
        """Images by split, then by class; every class is listed in each split, also with 0."""
        counted = Counter((r.split, r.class_name) for r in self.records)
        splits = sorted({r.split for r in self.records})
        return {split: {name: counted[split, name] for name in self.class_names} for split in splits}

    def save(self, path: Path) -> None:
        """Writes the manifest as JSON, whole or not at all."""
        partial = path.with_name(path.name + ".partial")
        partial.write_text(self.model_dump_json(indent=1) + "\n", encoding="utf-8")
        partial.replace(path)

    @classmethod
    def load(cls, path: Path) -> DatasetManifest:
        """Reads a manifest written by `save`.

        Raises:
            DatasetManifestInvalid: the file is missing, or no manifest of this schema version.
        """
        try:
            return cls.model_validate_json(path.read_bytes())
        except (OSError, ValidationError) as error:
            raise DatasetManifestInvalid(
                f"{path} cannot be read as a data set manifest ({error}); import the data set again."
            ) from error


def digest_of(class_names: Sequence[str], images: Iterable[tuple[str, str, str, str]]) -> str:
    """See `DatasetManifest.digest`; of each image its sha256, class, split and group."""
    canonical = json.dumps([list(class_names), sorted(images)], separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(canonical.encode()).hexdigest()
