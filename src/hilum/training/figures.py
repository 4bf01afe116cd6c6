"""Draws an evaluation and a training history as PNG files. Knows figures only, neither models nor images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure as Canvas
from matplotlib.ticker import MaxNLocator, PercentFormatter

from hilum.evaluation import Evaluation, Figure
from hilum.training.probes.effects import Effect
from hilum.training.probes.findings import FeatureImportance

_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#7F7F7F")
"""Okabe and Ito's palette, told apart with any colour vision ("Color Universal Design", 2008); yellow left out."""

_MARKS = ("o", "s", "D", "^", "v", "P", "X", "*")
_DASHES = ("-", "--", "-.", ":")
_STYLE: Any = {
    "font.size": 10,
    "axes.titlesize": 12,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.titlepad": 12,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": "#666666",
    "axes.labelcolor": "#333333",
    "xtick.color": "#333333",
    "ytick.color": "#333333",
    "figure.constrained_layout.w_pad": 0.15,
    "figure.constrained_layout.h_pad": 0.12,
    "grid.color": "#E4E4E4",
    "legend.frameon": False,
    "legend.fontsize": 9,
}


def write_figures(evaluation: Evaluation, history: Sequence[Mapping[str, Any]] | None, directory: Path) -> list[Path]:
    """Writes confusion-matrix.png, roc.png, reliability.png and, with a history, training-history.png.

    Args:
        evaluation: what is drawn.
        history: one mapping an epoch, in order: `loss` and `accuracy`, `val_loss` and `val_accuracy` as Keras names
            them; what is missing or not finite is left out. `epoch` may number them, `stage` may name the phases.
        directory: made where it does not exist.

    Returns:
        The files written.
    """
    with rc_context(_STYLE):
        drawn = {
            "confusion-matrix.png": _confusion_matrix(evaluation),
            "roc.png": _roc(evaluation),
            "reliability.png": _reliability(evaluation),
        }
        written = [_save(canvas, directory / name) for name, canvas in drawn.items()]
    return [*written, write_history(history, directory)] if history else written


def write_history(history: Sequence[Mapping[str, Any]], directory: Path) -> Path:
    """Writes training-history.png, loss and accuracy by epoch; `history` is as for `write_figures`."""
    with rc_context(_STYLE):
        return _save(_training_history(history), directory / "training-history.png")


def write_importance(importance: FeatureImportance, directory: Path) -> Path:
    """Writes feature-importance.png: what filling regions and exchanging properties did, overall and by class."""
    with rc_context(_STYLE):
        return _save(_importance(importance), directory / "feature-importance.png")


def _save(canvas: Canvas, path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    FigureCanvasAgg(canvas)
    canvas.savefig(path, dpi=144, facecolor="white", metadata={"Software": None})
    return path


def _confusion_matrix(evaluation: Evaluation) -> Canvas:
    counts = np.array(evaluation.confusion_matrix)
    support = counts.sum(axis=1, keepdims=True)
    shares = np.divide(counts, support, out=np.zeros(counts.shape), where=support > 0)
    names = [_readable(name) for name in evaluation.class_names]
    side = 2.9 + 0.95 * len(names)
    canvas = Canvas(figsize=(side + 1.2, side - 0.2), layout="constrained")
    axes = canvas.add_subplot()
    image = axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    for (row, column), share in np.ndenumerate(shares):
        colour = "white" if share > 0.55 else "#222222"
        axes.text(column, row - 0.1, f"{counts[row, column]}", ha="center", va="center", color=colour, fontsize=13)
        axes.text(column, row + 0.2, f"{share:.0%}", ha="center", va="center", color=colour, fontsize=9)
    axes.set_xticks(range(len(names)), names)
    axes.set_yticks(range(len(names)), [f"{n}\n(n = {int(s)})" for n, s in zip(names, support[:, 0], strict=True)])
    axes.set_xlabel("Predicted class")
    axes.set_ylabel("True class")
    axes.set_title(f"Confusion matrix: accuracy {_with_interval(evaluation.accuracy, percent=True)}")
    axes.spines[:].set_visible(False)
    axes.set_xticks(np.arange(len(names) + 1) - 0.5, minor=True)
    axes.set_yticks(np.arange(len(names) + 1) - 0.5, minor=True)
    axes.grid(which="minor", color="white", linewidth=2)
    axes.tick_params(which="both", length=0)
    bar = canvas.colorbar(image, ax=axes, shrink=0.75, format=PercentFormatter(1))
    bar.set_label("Share of the true class")
    bar.outline.set_visible(False)
    return canvas


def _roc(evaluation: Evaluation) -> Canvas:
    canvas = Canvas(figsize=(6.4, 6.4), layout="constrained")
    axes = canvas.add_subplot()
    axes.plot([0, 1], [0, 1], color="#999999", linewidth=1, linestyle=(0, (2, 3)))
    for index, figures in enumerate(evaluation.per_class):
        if not figures.roc:
            continue
        axes.plot(
            *zip(*figures.roc, strict=True),
            color=_COLOURS[index % len(_COLOURS)],
            linestyle=_DASHES[index % len(_DASHES)],
            linewidth=2,
            label=f"{_readable(figures.class_name, ' ')}: {_with_interval(figures.auroc)}",
        )
    axes.set(xlim=(-0.01, 1.01), ylim=(-0.01, 1.01), aspect="equal")
    axes.set_xlabel("False positive rate (1 − specificity)")
    axes.set_ylabel("True positive rate (sensitivity)")
    axes.set_title("ROC, each class against the rest")
    axes.grid(visible=True)
    if axes.get_legend_handles_labels()[0]:
        axes.legend(loc="lower right", title="AUROC (95 % interval)", alignment="left", handlelength=2.8)
    return canvas


def _reliability(evaluation: Evaluation) -> Canvas:
    bins = [b for b in evaluation.reliability if b.n]
    canvas = Canvas(figsize=(6.4, 7.2), layout="constrained")
    upper, lower = canvas.subplots(2, 1, sharex=True, height_ratios=(3.4, 1))
    upper.plot(
        [0, 1], [0, 1], color="#555555", linewidth=1, linestyle=(0, (2, 3)), zorder=3, label="perfectly calibrated"
    )
    width = bins[0].upper - bins[0].lower
    upper.bar(
        [(b.lower + b.upper) / 2 for b in bins],
        [b.accuracy or 0 for b in bins],
        width * 0.92,
        color="#9CC9E6",
        label="accuracy in the bin",
    )
    upper.plot(
        [b.mean_confidence for b in bins],
        [b.accuracy for b in bins],
        "o",
        color="#003F66",
        markersize=5,
        clip_on=False,
        label="at the bin's mean probability",
    )
    upper.set(xlim=(0, 1), ylim=(0, 1.02), ylabel="Accuracy")
    error = _with_interval(evaluation.expected_calibration_error)
    upper.set_title(f"Reliability: expected calibration error {error}")
    upper.legend(loc="upper left")
    lower.bar([(b.lower + b.upper) / 2 for b in bins], [b.n for b in bins], width * 0.92, color="#7F7F7F")
    lower.set(xlabel="Probability of the predicted class", ylabel="Images")
    lower.yaxis.set_major_locator(MaxNLocator(4, integer=True))
    for axes in (upper, lower):
        axes.grid(visible=True)
        axes.set_axisbelow(True)
    return canvas


def _training_history(history: Sequence[Mapping[str, Any]]) -> Canvas:
    canvas = Canvas(figsize=(10, 4.4), layout="constrained")
    left, right = canvas.subplots(1, 2)
    _curves(left, history, "loss", "Loss")
    _curves(right, history, "accuracy", "Accuracy")
    right.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    return canvas


def _importance(importance: FeatureImportance) -> Canvas:
    regions = [(row.region, row.effect) for row in importance.regions]
    properties = [(row.name, row.effect) for row in importance.properties.rows]
    canvas = Canvas(figsize=(10.5, 1.9 + 0.5 * max(len(regions), len(properties))), layout="constrained")
    left, right = canvas.subplots(1, 2)
    _effect_bars(left, regions, "probability_drop", "Filled region: fall of the true class's probability")
    _effect_bars(right, properties, "probability_change", "Exchanged property: change of it")
    handles, labels = left.get_legend_handles_labels()
    canvas.legend(handles, labels, loc="outside lower center", ncols=3)
    return canvas


def _effect_bars(axes: Axes, rows: Sequence[tuple[str, Effect]], measure: str, title: str) -> None:
    """A bar with its interval for all slices, and a mark for each class."""
    for at, (_, effect) in enumerate(rows):
        figure: Figure = getattr(effect, measure)
        value, low, high = (0.0 if v is None else v for v in (figure.value, figure.low, figure.high))
        label = "all, with 95 % interval" if at == 0 else None
        axes.barh(at, value, height=0.62, color="#9CC9E6", label=label)
        axes.plot([low, high], [at, at], color="#003F66", linewidth=1.6)
        for index, row in enumerate(effect.per_class):
            by_class: Figure = getattr(row, measure)
            if by_class.value is not None:
                axes.plot(
                    by_class.value,
                    at,
                    _MARKS[index % len(_MARKS)],
                    color=_COLOURS[index % len(_COLOURS)],
                    markersize=6,
                    markeredgecolor="white",
                    label=_readable(row.class_name, " ") if at == 0 else None,
                )
    axes.axvline(0, color="#666666", linewidth=0.8)
    axes.set_yticks(range(len(rows)), [_readable(name, " ") for name, _ in rows])
    axes.invert_yaxis()
    axes.set_title(title, fontsize=10.5)
    axes.grid(visible=True, axis="x")
    axes.set_axisbelow(True)


def _curves(axes: Axes, history: Sequence[Mapping[str, Any]], key: str, title: str) -> None:
    epochs = np.arange(1, len(history) + 1)
    marker = "o" if len(history) <= 30 else ""
    for prefix, label, colour, dash in (("", "training", _COLOURS[0], "-"), ("val_", "validation", _COLOURS[1], "--")):
        values = np.array([_number(epoch.get(prefix + key)) for epoch in history])
        if np.isfinite(values).any():
            axes.plot(epochs, values, dash, color=colour, marker=marker, markersize=3.5, linewidth=1.8, label=label)
    for border in _stage_borders(history):
        axes.axvline(border, color="#999999", linewidth=1, linestyle=(0, (2, 3)))
    axes.set(xlabel="Epoch", title=title)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.grid(visible=True)
    if axes.get_legend_handles_labels()[0]:
        axes.legend()


def _stage_borders(history: Sequence[Mapping[str, Any]]) -> list[float]:
    """Where the training went from one stage to the next, between two epochs."""
    stages = [epoch.get("stage") for epoch in history]
    return [i + 0.5 for i in range(1, len(stages)) if stages[i] != stages[i - 1]]


def _number(value: object) -> float:
    return float(value) if isinstance(value, (int, float)) else float("nan")


def _readable(class_name: str, separator: str = "\n") -> str:
    words = class_name.split("_")
    if separator != "\n":
        return separator.join(words)
    return " ".join(words[:-1]) + "\n" + words[-1] if len(words) > 1 else words[0]


def _with_interval(figure: Figure, *, percent: bool = False) -> str:
    if figure.value is None:
        return "undefined"
    scale, unit, digits = (100, " %", 1) if percent else (1, "", 3)
    text = f"{figure.value * scale:.{digits}f}{unit}"
    if figure.low is None or figure.high is None:
        return text
    return f"{text} ({figure.low * scale:.{digits}f}–{figure.high * scale:.{digits}f})"
