"""How good a classifier is, and how sure that is. Knows probabilities and labels; numpy is all it needs."""

from hilum.evaluation.means import mean_figure, share_figure
from hilum.evaluation.paired import PairedTest, mcnemar
from hilum.evaluation.results import CancerFigures, ClassFigures, Evaluation, Figure, ReliabilityBin
from hilum.evaluation.scoring import evaluate

__all__ = [
    "CancerFigures",
    "ClassFigures",
    "Evaluation",
    "Figure",
    "PairedTest",
    "ReliabilityBin",
    "evaluate",
    "mcnemar",
    "mean_figure",
    "share_figure",
]
