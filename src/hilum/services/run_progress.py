"""What a run's process tells its supervisor of its progress: the newest, in a file of the run's folder. Knows no run.

The process may have the lowest priority, and whoever has it can be kept from the processor at any moment: between the
beginning of a transaction and its end too, while every writer of SQLite waits. So it writes a file, and its supervisor,
which has the usual priority, writes the row.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

_FILE = "progress.json"


class RunProgress:
    """One run's; for one process that tells and one that reads."""

    def __init__(self, folder: Path) -> None:
        """Takes the run's folder."""
        self._file = folder / _FILE

    def tell(self, values: Mapping[str, Any]) -> None:
        """Replaces what was told before; on a full disk that stays."""
        partial = self._file.with_suffix(".partial")
        with suppress(OSError):
            partial.write_text(json.dumps(dict(values)))
            partial.replace(self._file)

    def told(self) -> dict[str, Any]:
        """What was told last; nothing before the first time."""
        try:
            found: dict[str, Any] = json.loads(self._file.read_text())
        except (OSError, ValueError):
            return {}
        return found
