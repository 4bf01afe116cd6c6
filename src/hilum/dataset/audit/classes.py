"""Findings about classes: folders named differently per split, few images, few different pictures. Reads no pixels."""

from __future__ import annotations

from collections import Counter, defaultdict

from hilum.dataset.audit.evidence import Evidence, count_words, is_cancer
from hilum.dataset.audit.finding import Finding
from hilum.dataset.class_names import split_of_folder

_IMBALANCE = 2.0
_REPEATED = 2.0


def folder_names(evidence: Evidence) -> Finding | None:
    """Class folders whose spelling differs between splits, and the mix-up that reading by order causes."""
    spelt: dict[str, dict[str, str]] = defaultdict(dict)
    for record in evidence.records:
        folder = _class_folder(record.path, record.split)
        if folder:
            spelt[record.class_name][record.split] = folder
    differing = {name: by_split for name, by_split in spelt.items() if len(set(by_split.values())) > 1}
    if not differing:
        return None
    n_names = len({folder for by_split in spelt.values() for folder in by_split.values()})
    first = min(differing)
    said = " and ".join(f"{folder!r} in {split}" for split, folder in list(differing[first].items())[::2])
    shared = sum(name not in differing for name in spelt)
    figures: dict[str, float | int | str] = {
        "classes": len(spelt), "folder_names": n_names, "differing": len(differing), "shared": shared
    }  # fmt: skip
    sentence = (
        f"{len(differing)} of {len(spelt)} classes are spelt differently per split (such as {said}): taken as they "
        f"stand, {n_names} names would be {n_names} classes and the splits would share {shared}."
    )
    if swapped := naive_swap(evidence.near.class_names):
        figures["swapped"] = ", ".join(swapped)
        sentence += (
            f" So class lists are written by hand; in the order cancers first, normal last, against folders sorted by "
            f"name, {' and '.join(swapped)} change places."
        )
    return Finding(
        code="folder-names",
        severity="warning",
        sentence=sentence,
        figures=figures,
        files=tuple(sorted({f"{split}/{f}" for by_split in differing.values() for split, f in by_split.items()})),
        remedy="Map folders to classes by a rule on the name, never by position; keep class names with the model.",
    )


def naive_swap(class_names: tuple[str, ...]) -> tuple[str, ...]:
    """Classes that stand elsewhere when the cancers come first instead of all in alphabetical order."""
    in_order = sorted(class_names)
    by_hand = [name for name in in_order if is_cancer(name)] + [name for name in in_order if not is_cancer(name)]
    return tuple(name for name, other in zip(in_order, by_hand, strict=True) if name != other)


def imbalance(evidence: Evidence) -> Finding | None:
    """Classes of which one has at least twice as many images as another."""
    counts = Counter(record.class_name for record in evidence.records)
    most, least = max(counts, key=lambda n: (counts[n], n)), min(counts, key=lambda n: (counts[n], n))
    if len(counts) < 2 or counts[most] < _IMBALANCE * counts[least] * 0.9:
        return None
    share = counts[most] / len(evidence.records)
    return Finding(
        code="class-imbalance",
        severity="note",
        sentence=f"The classes hold {count_words(counts)} images: {most} has {counts[most] / counts[least]:.1f} times "
        f"as many as {least}, and always answering {most} would be right on {share:.1%}.",
        figures={**{name: counts[name] for name in sorted(counts)}, "majority_share": share},
        files=(),
        remedy="Weight the classes in training; report balanced accuracy and figures per class.",
    )


def few_pictures(evidence: Evidence) -> Finding | None:
    """Classes whose images are mostly the same few pictures over again."""
    images = Counter(record.class_name for record in evidence.records)
    contents = {n: len({r.sha256 for r in evidence.records if r.class_name == n}) for n in images}
    pictures = {n: len({r.group for r in evidence.near.records if r.class_name == n}) for n in images}
    repeated = [name for name in sorted(images) if images[name] >= _REPEATED * pictures[name]]
    if not repeated:
        return None
    said = "; ".join(
        f"the {images[n]} files of {n} hold {contents[n]} different contents and show about {pictures[n]} different "
        "pictures"
        for n in repeated
    )
    figures: dict[str, float | int | str] = {}
    for name in sorted(images):
        figures[f"{name}_files"], figures[f"{name}_contents"] = images[name], contents[name]
        figures[f"{name}_pictures"] = pictures[name]
    return Finding(
        code="few-pictures",
        severity="warning",
        sentence=said[0].upper() + said[1:] + ".",
        figures=figures,
        files=(),
        remedy="Count pictures, not files, when judging how much a class is known; collect more of these.",
    )


def _class_folder(path: str, split: str) -> str:
    parts = path.split("/")[:-1]
    if not split:
        return ""
    place = next((k for k, part in enumerate(parts) if split_of_folder(part)), None)
    return parts[place + 1] if place is not None and place + 1 < len(parts) else ""
