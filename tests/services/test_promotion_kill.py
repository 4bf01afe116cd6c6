"""A promotion that is killed happened or did not: what serves is the old or the new model, whole. H104."""

from __future__ import annotations

import subprocess
import sys
import time
from itertools import pairwise
from pathlib import Path

from hilum.inference.bundle import open_bundle
from hilum.services.audit_log import export, verify
from hilum.storage.database import Database
from registered_models import VERSIONS, registered_models, write_bundles

_KILLS = 6
_PROMOTE = """
import sys
from pathlib import Path
from registered_models import VERSIONS, RegisteredModels
models = RegisteredModels(sys.argv[1], Path(sys.argv[2]), {})
at = VERSIONS.index(models.registry.champion().version)
while True:
    at = (at + 1) % len(VERSIONS)
    models.registry.promote(VERSIONS[at], actor="killed")
    print(VERSIONS[at], flush=True)
"""


def _acknowledged(url: str, folder: Path, n: int, pause_s: float) -> list[str]:
    """Versions that a process said it had promoted before it was killed."""
    code = f"import sys; sys.path.insert(0, {str(Path(__file__).parents[1])!r})" + _PROMOTE
    with subprocess.Popen([sys.executable, "-c", code, url, str(folder)], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        told = [process.stdout.readline().strip() for _ in range(n)]
        time.sleep(pause_s)
        process.kill()
        return [line for line in (*told, *process.stdout.read().splitlines()) if line in VERSIONS]


def test_the_champion_is_the_last_that_was_acknowledged_or_the_next(database_url: str, tmp_path: Path) -> None:
    with registered_models(database_url, tmp_path, write_bundles(tmp_path / "bundles")) as models:
        for version in VERSIONS:
            models.registry.register(models.bundles[version], actor="operator")
        models.registry.put_first(VERSIONS[0])
        before = VERSIONS[0]
        for kill in range(_KILLS):
            told = _acknowledged(database_url, tmp_path, 3, kill * 0.003)
            assert all(VERSIONS[(VERSIONS.index(one) + 1) % 3] == two for one, two in pairwise([before, *told]))
            champion = models.registry.champion()
            assert champion is not None
            following = VERSIONS[(VERSIONS.index(told[-1]) + 1) % len(VERSIONS)]
            assert champion.version in {told[-1], following}
            assert open_bundle(models.registry.fetch(champion.version)).manifest.model_version == champion.version
            before = champion.version
        database = Database(database_url)
        assert [event.subject for event in export(database) if event.kind == "promote"][-1] == before
        verify(database)
        database.close()
