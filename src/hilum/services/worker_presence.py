"""Whether anyone is there who would take a training run. Loads none of what it looks for."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from importlib.util import find_spec

from hilum.storage import training_runs
from hilum.storage.database import Database

_PACKAGES = ("dbos", "keras", "tensorflow", "onnx", "tf2onnx", "sklearn", "matplotlib")
_SEEN_WITHIN = timedelta(seconds=20)


def missing_packages() -> tuple[str, ...]:
    """The packages that training needs and that are not installed here."""
    return tuple(name for name in _PACKAGES if find_spec(name) is None)


def find_trouble(database: Database, *, is_worker_wanted: bool) -> str | None:
    """Why nobody would take a run, in words that name the remedy; None where someone would.

    Args:
        database: where workers say that they are there.
        is_worker_wanted: whether this process takes runs itself, if it has the packages.

    Raises:
        DatabaseUnavailable: the database does not answer.
    """
    missing = missing_packages()
    if is_worker_wanted and not missing:
        return None
    with database.reading() as connection:
        if training_runs.is_any_worker_seen(connection, datetime.now(UTC) - _SEEN_WITHIN):
            return None
    if is_worker_wanted:
        return (
            f"training needs packages that are not installed here ({', '.join(missing)}): run `make install-train` "
            "in hilum's checkout, and start the server again"
        )
    return "no worker takes runs: start `hilum worker` where training is to happen, or set HILUM_WORKER=true"
