"""Findings about files: damaged ones, wrong extensions, mixed formats, modes and sizes. Needs no pixels."""

from __future__ import annotations

from collections import Counter

from hilum.dataset.audit.evidence import Evidence, count_words
from hilum.dataset.audit.finding import Finding


def refused_files(evidence: Evidence) -> Finding | None:
    """Files that are no usable image."""
    refused = evidence.near.rejected
    if not refused:
        return None
    codes = Counter(file.code for file in refused)
    return Finding(
        code="refused-files",
        severity="warning",
        sentence=f"{len(refused)} files cannot be used ({count_words(codes)}).",
        figures={"files": len(refused), **dict(sorted(codes.items()))},
        files=tuple(file.path for file in refused),
        remedy="Export them again, or take them out; a reader that is less strict would train on half a picture.",
    )


def wrong_extensions(evidence: Evidence) -> Finding | None:
    """Files whose content is another format than their extension says."""
    wrong = [record for record in evidence.records if "extension-mismatch" in record.warnings]
    if not wrong:
        return None
    kinds = Counter(f".{record.path.rpartition('.')[2].lower()} files are {record.file_format}" for record in wrong)
    by_class = Counter(record.class_name for record in wrong)
    return Finding(
        code="wrong-extensions",
        severity="warning",
        sentence=f"{count_words(kinds)} by content ({count_words(by_class)}).",
        figures={"files": len(wrong), **{f"class_{name}": count for name, count in sorted(by_class.items())}},
        files=tuple(sorted(record.path for record in wrong)),
        remedy="Read images by content, as hilum does; a reader that trusts the extension fails on them or skips them.",
    )


def mixed_exports(evidence: Evidence) -> Finding | None:
    """More than one pixel layout, or sizes that differ."""
    records = evidence.records
    modes = Counter(record.mode for record in records)
    widths, heights = [r.width for r in records], [r.height for r in records]
    if len(modes) == 1 and max(widths) <= 1.25 * min(widths) and max(heights) <= 1.25 * min(heights):
        return None
    return Finding(
        code="mixed-exports",
        severity="note",
        sentence=(
            f"Pixel layouts are {count_words(modes)}; sizes run from {min(widths)} to {max(widths)} pixels across "
            f"and from {min(heights)} to {max(heights)} down."
        ),
        figures={
            **{f"mode_{mode}": count for mode, count in sorted(modes.items())},
            "min_width": min(widths),
            "max_width": max(widths),
            "min_height": min(heights),
            "max_height": max(heights),
        },
        files=tuple(sorted(r.path for r in records if modes[r.mode] < 0.5 * len(records))),
        remedy="Bring every image to one grey plane and one size, cropped to the body, in training and serving alike.",
    )
