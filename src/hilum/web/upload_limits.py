"""Caps on request bodies. Knows no request."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class UploadLimits:
    """Caps on one upload.

    Attributes:
        body_bytes: of the whole request body.
        parts, part_headers, header_bytes, field_bytes: of the multipart body.
        grace_s, bytes_per_s: a body must not fall behind this rate by more than `grace_s`, however fast it began.
        held_bytes: bodies of all uploads under way, together.
        batch_bytes, batch_files: of a body with several files; a zip among them may hold as many.
        study_bytes, study_files: of a body with the slices of a study.
        json_bytes: of a body in JSON.
        dataset_bytes, dataset_files: of labelled images; such a body goes to disk and not into memory.
        scoring_bytes, scoring_files: of images that are scored later; such a body goes to disk too.
        references_bytes: of a body in JSON that lists such images.
    """

    body_bytes: int = 25_000_000
    parts: int = 20
    part_headers: int = 16
    header_bytes: int = 8192
    field_bytes: int = 1_000_000
    grace_s: float = 10.0
    bytes_per_s: int = 10_000
    held_bytes: int = 256_000_000
    batch_bytes: int = 100_000_000
    batch_files: int = 100
    study_bytes: int = 200_000_000
    study_files: int = 1000
    json_bytes: int = 16_000
    dataset_bytes: int = 512_000_000
    dataset_files: int = 5000
    scoring_bytes: int = 2_000_000_000
    scoring_files: int = 20_000
    references_bytes: int = 2_000_000
