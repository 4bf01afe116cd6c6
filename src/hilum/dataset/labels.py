"""What a label says of an image: one class, one of several (only "cancer" is known), or nothing. Names only."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field

from hilum.errors import DatasetInvalid

_ANY_CANCER = frozenset({"cancer", "lung_cancer", "malignancy", "malignant", "tumor", "tumour"})
"""Labels that say cancer and leave the subtype open."""


def cancer_classes(class_names: Iterable[str]) -> tuple[str, ...]:
    """The classes whose names say cancer, in their order."""
    return tuple(name for name in class_names if "carcinoma" in name or name in _ANY_CANCER)


def told_cancers(class_names: Iterable[str], cancers: Collection[str]) -> str:
    """Which classes count as cancers, in a sentence: their names alone decide, and nobody else would notice."""
    others = ", ".join(name for name in class_names if name not in cancers)
    if not cancers:
        return f"No class counts as a cancer ({others}), so there is no cancer probability."
    if not others:
        return "Every class counts as a cancer, so there is no cancer probability: it would be 1 for any slice."
    return f"As cancers count {', '.join(cancers)}; as none count {others}."


@dataclass(frozen=True)
class LabelScheme:
    """The classes a model has, and what the labels of its data sets say of them.

    Attributes:
        class_names: the model's classes.
        coarse: labels that stand for any one of several classes.
        ignored: labels whose images teach nothing.
    """

    class_names: tuple[str, ...]
    coarse: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    ignored: frozenset[str] = frozenset()

    @classmethod
    def of(
        cls,
        labels: Iterable[str],
        *,
        coarse: Mapping[str, Collection[str]] | None = None,
        ignored: Collection[str] = (),
    ) -> LabelScheme:
        """Derives the scheme from the labels of the main data set.

        A label that says cancer without a subtype, such as `malignant`, is coarse by itself where two or more of the
        classes are cancers.

        Args:
            labels: of the main data set; all that are neither coarse nor ignored are the classes.
            coarse: label to the classes it may be; `cancer` among them stands for every cancer class.
            ignored: labels to leave out.

        Raises:
            DatasetInvalid: a coarse label names a class there is not.
        """
        given = dict(coarse or {})
        names = tuple(name for name in sorted(set(labels)) if name not in given and name not in ignored)
        subtypes = tuple(name for name in cancer_classes(names) if name not in _ANY_CANCER)
        if len(subtypes) > 1:
            names = tuple(name for name in names if name not in _ANY_CANCER)
            given = dict.fromkeys(_ANY_CANCER - set(names) - set(ignored), ("cancer",)) | given
        resolved = {}
        for label, members in given.items():
            wanted = [name for member in members for name in (subtypes if member == "cancer" else (member,))]
            if unknown := sorted(set(wanted) - set(names)):
                raise DatasetInvalid(
                    f"label {label!r} is said to be any of {', '.join(members)}, but there is no class "
                    f"{', '.join(unknown)}; the classes are {', '.join(names)}"
                )
            resolved[label] = tuple(name for name in names if name in wanted)
        return cls(names, resolved, frozenset(ignored))

    def allowed(self, label: str) -> tuple[int, ...]:
        """Indices of the classes an image of this label may have; empty where the label is ignored.

        Raises:
            DatasetInvalid: the scheme does not know the label.
        """
        if label in self.ignored:
            return ()
        if label in self.class_names:
            return (self.class_names.index(label),)
        if label not in self.coarse:
            raise DatasetInvalid(
                f"the label {label!r} is no class of the model ({', '.join(self.class_names)}); say what it may be "
                f"with --coarse {label}=CLASS+CLASS, or leave its images out with --ignore {label}"
            )
        return tuple(self.class_names.index(name) for name in self.coarse[label])
