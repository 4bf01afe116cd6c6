"""What a person sees in a terminal: progress bars and tables. Prints what it is given, computes nothing."""

from __future__ import annotations

import sys
import time
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

_LOG_EVERY_S = 15.0


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
