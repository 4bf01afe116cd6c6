"""Runs every probe on a bundle's answers and holds what they found. Each probe is its own module."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from hilum.training.probes.cases import Cases, Share
from hilum.training.probes.heat import ExplanationCheck, explanation_check
from hilum.training.probes.perturbations import perturbations
from hilum.training.probes.properties import Properties, property_importance
from hilum.training.probes.regions import RegionImportance, region_importance
from hilum.training.probes.robustness import Robustness, robustness
from hilum.training.probes.shortcuts import CHANGED_SHARE, KEPT_SHARE, shortcut_sentences

_SEED = 0

PROBED = ("explanation_check", "feature_importance", "robustness")
"""The keys of the findings in metrics.json."""

Progress = Callable[[str, float, str], None]


@dataclass(frozen=True)
class FeatureImportance:
    """What the answers hang on.

    Attributes:
        regions: by region of the chest, by occlusion.
        properties: by property of the picture, by permutation.
        sentences: one for each shortcut found; none where there is none.
    """

    regions: tuple[RegionImportance, ...]
    properties: Properties
    sentences: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """As JSON types; each row has its effect's fields beside its name."""
        return {
            "regions": [{"region": row.region, "area": asdict(row.area), **asdict(row.effect)} for row in self.regions],
            "properties": [{"property": row.name, **asdict(row.effect)} for row in self.properties.rows],
            "constant_properties": list(self.properties.constant),
            "sentences": list(self.sentences),
            "sentence_above": CHANGED_SHARE,
            "kept_above": KEPT_SHARE,
        }


@dataclass(frozen=True)
class Findings:
    """What the probes found."""

    explanation: ExplanationCheck
    importance: FeatureImportance
    robustness: Robustness

    def to_dict(self) -> dict[str, Any]:
        """As JSON types."""
        found = (self.explanation.to_dict(), self.importance.to_dict(), self.robustness.to_dict())
        return dict(zip(PROBED, found, strict=True))


def probe(cases: Cases, graph: Path, progress: Progress) -> Findings:
    """Runs the probes, which give the same figures each time.

    Args:
        cases: slices the model was asked about.
        graph: the bundle's fp32 ONNX file.
        progress: told of each stage.
    """

    def stage(name: str, words: str) -> Share:
        return lambda share: progress(name, share, words)

    explanation = explanation_check(cases, graph, _SEED, stage("heat maps", f"{len(cases)} slices"))
    regions = region_importance(cases, stage("regions", "filled in turn"))
    properties = property_importance(cases, _SEED, stage("properties", "exchanged in turn"))
    table = robustness(cases, perturbations(), _SEED, stage("robustness", f"{len(perturbations())} perturbations"))
    sentences = shortcut_sentences(regions, properties.rows, cases.predictor.manifest.cancer_class_names)
    return Findings(explanation, FeatureImportance(regions, properties, sentences), table)
