"""What a person sees in a terminal: progress bars and tables. Prints what it is given, computes nothing."""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.padding import Padding
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn
from rich.table import Table

if TYPE_CHECKING:
    from hilum.dataset.audit.finding import Audit
    from hilum.dataset.manifest import DatasetManifest
    from hilum.inference.manifest import Manifest
    from hilum.training.gate.fit import GateReport

_LOG_EVERY_S = 15.0
_MOST_TOLD = 40
_WORDS = {"training-image": "the model was trained on this slice"}


class TerminalProgress:
    """A bar a stage on standard error; into a file or pipe, a line every few seconds and for each epoch."""

    def __init__(self) -> None:
        self._console = Console(file=sys.stderr)
        self._tasks: dict[str, TaskID] = {}
        self._logged_at = 0.0
        columns = (
            TextColumn("{task.description:>10}"),
            BarColumn(bar_width=32),
            TimeRemainingColumn(),
            TextColumn("{task.fields[words]}"),
        )
        self._bars = Progress(*columns, console=self._console) if self._console.is_terminal else None

    def __enter__(self) -> TerminalProgress:
        if self._bars:
            self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bars:
            self._bars.stop()

    def __call__(self, stage: str, share: float, words: str) -> None:
        """Shows that `share` (0..1) of `stage` is done."""
        if self._bars:
            if stage not in self._tasks:
                self._tasks[stage] = self._bars.add_task(stage, total=1.0, words="")
            self._bars.update(self._tasks[stage], completed=share, words=words)
        elif time.monotonic() - self._logged_at > _LOG_EVERY_S or share >= 1 or words.startswith("epoch"):
            self._logged_at = time.monotonic()
            self._console.print(f"{stage} {share:.0%}  {words}", highlight=False, soft_wrap=True)


def print_keys(rows: Sequence[dict[str, Any]]) -> None:
    """A table of API keys, without the keys; of times the days."""
    table = Table(box=box.SIMPLE)
    for heading in ("prefix", "name", "role", "state", "expires", "last used"):
        table.add_column(heading, no_wrap=heading != "name", overflow="fold")
    for row in rows:
        days = [(row[name] or "")[:10] for name in ("expires_at", "last_used_at")]
        table.add_row(row["prefix"], escape(row["name"]), row["role"], row["state"], *days)
    Console().print(table)


def print_predictions(rows: Sequence[dict[str, Any]]) -> None:
    """A table of predictions, or of why a file was refused."""
    table = Table(box=box.SIMPLE)
    for heading in ("file", "class", "probability", "cancer", "decision", "notes"):
        table.add_column(heading)
    for row in rows:
        name = Path(row["file"]).name or row["file"]
        if "code" in row:
            table.add_row(escape(name), f"[red]{row['code']}", "", "", "", escape(row["detail"]))
            continue
        best = row["predicted_class"]
        cancer = row["cancer_probability"]
        table.add_row(
            escape(name),
            best,
            f"{row['probabilities'][best]:.3f}",
            "" if cancer is None else f"{cancer:.3f}",
            row["decision"],
            ", ".join(_WORDS.get(warning, warning) for warning in row["warnings"]),
        )
    console = wide_console()
    console.print(table)
    for row in rows:
        if "look_alikes" in row:
            console.print(_look_alikes(row), highlight=False)
    console.print("[dim]Research software, not a medical device; no answer here is a diagnosis.", highlight=False)


def _look_alikes(row: dict[str, Any]) -> Table:
    """The training slices most like one file."""
    table = Table(box=box.SIMPLE, title=f"most like {escape(Path(row['file']).name)}", title_justify="left")
    for heading in ("training slice", "class", "similarity", "data set"):
        table.add_column(heading, justify="right" if heading == "similarity" else "left")
    for one in row["look_alikes"]:
        name = escape(one["name"]) if one["name"] else "(not named)"
        table.add_row(name, escape(one["class_name"]), f"{one['similarity']:.3f}", escape(one["source"]))
    return table


def print_audit(audit: Audit) -> None:
    """Each finding with what it does to a score and what to do, then what the probe scores."""
    console = wide_console()
    console.print(
        f"{escape(audit.dataset)}: {audit.n_images} images, {audit.n_distinct} different, "
        f"{audit.n_refused} files refused; {len(audit.findings)} findings\n"
    )
    colours = {"error": "red", "warning": "yellow", "note": "blue"}
    for finding in audit.findings:
        colour = colours[finding.severity]
        console.print(f"[bold {colour}]{finding.severity}[/] [bold]{finding.code}[/]", highlight=False)
        for label, words in (("", finding.sentence), ("score: ", finding.effect), ("do: ", finding.remedy)):
            if words:
                console.print(Padding(f"[dim]{label}[/]{escape(words)}", (0, 0, 0, 2)), highlight=False)
        console.print()
    if audit.scores:
        table = Table(box=box.SIMPLE)
        for heading in ("probe", "score", "95 % interval", "n", "guessing"):
            table.add_column(heading, justify="left" if heading == "probe" else "right")
        for plan, score in audit.scores.items():
            interval = f"{score.low:.1%} – {score.high:.1%}"
            table.add_row(plan, f"{score.value:.1%}", interval, str(score.n), f"{score.majority:.1%}")
        console.print(table)


def print_dataset(manifest: DatasetManifest) -> None:
    """Images by split and class, and what was found wrong."""
    console = wide_console()
    table = Table(box=box.SIMPLE)
    table.add_column("split")
    for name in manifest.class_names:
        table.add_column(name, justify="right")
    for split, counts in manifest.class_counts().items():
        table.add_row(split or "(none)", *(str(counts[name]) for name in manifest.class_names))
    console.print(table)
    for name in manifest.class_names:
        if missing := [split for split, counts in manifest.class_counts().items() if not counts[name]]:
            console.print(f"[yellow]{escape(name)} has no image in {', '.join(missing)}: is a folder's name misspelt?")
    distinct = len({record.sha256 for record in manifest.records})
    groups = len({record.group for record in manifest.records})
    console.print(
        f"{len(manifest.records)} images, {distinct} distinct, in {groups} groups; "
        f"{len(manifest.conflicts)} with conflicting labels, {len(manifest.rejected)} files refused"
    )
    for conflict in manifest.conflicts:
        console.print(f"  conflict: {escape(' = '.join(conflict.paths))}")
    for file in manifest.rejected[:20]:
        console.print(f"  refused: {escape(file.path)}: {file.code}")


def print_batch(items: Sequence[dict[str, Any]], names: Sequence[str]) -> None:
    """What became of each file of a batch, told by file where it was not accepted."""
    console = wide_console()
    told = [item for item in items if item["status"] != "accepted" or item["code"]]
    table = Table(box=box.SIMPLE)
    for heading in ("file", "label", "status", "why"):
        table.add_column(heading, overflow="fold")
    for item in told[:_MOST_TOLD]:
        reasons = "; ".join(item["reasons"])
        cells = (names[item["index"]], item["label"] or "", item["status"], f"{item['code']}: {reasons}")
        table.add_row(*(escape(cell) for cell in cells))
    if told:
        console.print(table)
    if len(told) > _MOST_TOLD:
        console.print(f"and {len(told) - _MOST_TOLD} more; --json lists all")
    counts = Counter(item["status"] for item in items)
    told_counts = ", ".join(f"{counts[name]} {name}" for name in ("accepted", "duplicate", "quarantined", "refused"))
    console.print(f"{len(items)} files: {told_counts}")


def print_gate_report(report: GateReport) -> None:
    """What a gate refuses of pictures it was not fitted on, and the pictures to look at."""
    console = wide_console()
    settings = report.settings
    console.print(f"refused below {settings.refuse_below:.3f}, a warning below {settings.unusual_below:.3f}")
    table = Table(box=box.SIMPLE)
    for heading in ("pictures", "refused", "n", "share", "95 % interval", "warned"):
        table.add_column(heading, justify="left" if heading == "pictures" else "right")
    for row in settings.measured:
        interval = f"{row.low:.3f} – {row.high:.3f}"
        share = f"{row.refused / row.n:.3f}"
        table.add_row(escape(row.pictures), str(row.refused), str(row.n), share, interval, str(row.unusual))
    console.print(table)
    for name, score, looks_like in report.doubtful:
        console.print(f"  chest slice to look at: {escape(name)} ({score:.3f}), looks like {looks_like}")
    for name, score, looks_like in report.missed:
        console.print(f"  let through without a warning: {escape(name)} ({score:.3f}), else {looks_like}")


def print_bundle(manifest: Manifest, directory: Path, lineage: Mapping[str, str] | None = None) -> None:
    """What a bundle says of itself and the registry of it; printed only after it was verified."""
    table = Table(box=box.SIMPLE, show_header=False)
    rows = {
        "model": manifest.model_version,
        "folder": str(directory),
        "architecture": manifest.architecture,
        "classes": ", ".join(manifest.class_names),
        "cancers": ", ".join(manifest.cancer_class_names) or "none",
        "input": f"{manifest.preprocessing.side} px",
        "graphs": ", ".join(manifest.engine_files),
        "temperature": f"{manifest.temperature:.3f}",
        "confident above": f"{manifest.confident_above:.2f}",
        "gate": f"refuses below {manifest.gate.refuse_below:.3f}" if manifest.gate else "none: classifies any picture",
        "trained": f"{manifest.created_at:%Y-%m-%d}, hilum {manifest.hilum_version}, code {manifest.code_version}",
        "data set": manifest.dataset_digest[:16],
        "verified": f"{len(manifest.files)} file hashes and the golden predictions",
    }
    for name, value in {**rows, **(lineage or {})}.items():
        table.add_row(name, escape(value))
    wide_console().print(table)


def print_models(rows: Sequence[Mapping[str, Any]]) -> None:
    """Registered models, the newest first."""
    table = Table(box=box.SIMPLE)
    for heading in ("version", "", "registered (UTC)", "accuracy", "95 % interval", "n", "trained from"):
        table.add_column(heading, no_wrap=heading == "version")
    for row in rows:
        headline = row["headline"] or {}
        accuracy = headline.get("accuracy") or {}
        value, low, high = (accuracy.get(name) for name in ("value", "low", "high"))
        table.add_row(
            escape(row["version"]),
            ", ".join(row["aliases"]),
            row["created_at"][:16].replace("T", " "),
            "not measured" if value is None else f"{value:.4f}",
            "" if low is None or high is None else f"{low:.4f} – {high:.4f}",
            str(headline.get("n") or ""),
            escape(row["parent_version"] or ""),
        )
    wide_console().print(table)


def wide_console() -> Console:
    """Standard output; wide where it is a file or a pipe, so that few columns are folded."""
    console = Console()
    return console if console.is_terminal else Console(width=180)
