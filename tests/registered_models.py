"""A registry with three tiny models that answer differently, for tests of what serves."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from hilum.services.bundle_store import BUNDLES
from hilum.services.deployment import Deployment
from hilum.services.prediction import PredictionService
from hilum.services.registry import Registry
from hilum.services.workers import Workers
from hilum.storage.blobs import folder_url, open_blobs
from hilum.storage.database import Database
from hilum.storage.schema import upgrade
from tiny_bundle import write_tiny_bundle

VERSIONS = ("tiny-a", "tiny-b", "tiny-c")


def write_bundles(home: Path) -> dict[str, Path]:
    """Three bundles that answer differently."""
    return {name: write_tiny_bundle(home / name, version=name, seed=n) for n, name in enumerate(VERSIONS, 5)}


@dataclass
class RegisteredModels:
    """A database with a registry, and folders of servers that share it."""

    url: str
    folder: Path
    bundles: dict[str, Path]

    @cached_property
    def registry(self) -> Registry:
        """The registry as an operator sees it."""
        return self.open_registry("operator")

    def open_registry(self, server: str) -> Registry:
        """The registry as one server sees it."""
        blobs = open_blobs(folder_url(self.folder / "blobs"), BUNDLES)
        return Registry(Database(self.url), blobs, self.folder / server)

    def close(self) -> None:
        """Closes the operator's connections."""
        self.registry.close()

    def blob(self, digest: str) -> Path:
        """Where the store keeps a file."""
        return self.folder / "blobs" / BUNDLES / digest[:2] / digest

    def deployment(self, server: str = "server", *, bundle: str = "tiny-a", **options: Any) -> Deployment:
        """A deployment that begins with `bundle`, with a service that is not started."""
        deployment = Deployment(self.open_registry(server), self.bundles[bundle], self.folder / server, **options)
        deployment.attach(PredictionService(deployment.first_model, workers=Workers(threads=1, max_waiting=64)))
        return deployment

    @contextmanager
    def serving(self, server: str = "server", **options: Any) -> Iterator[Deployment]:
        """A deployment whose first model is loaded and which looks when told to."""
        deployment = self.deployment(server, **options)
        deployment.service.start()
        assert deployment.service.loaded.wait(10)
        yield deployment
        deployment.close()
        deployment.service.close()


@contextmanager
def registered_models(url: str, folder: Path, bundles: dict[str, Path]) -> Iterator[RegisteredModels]:
    """A database with the newest tables, in which nothing is registered."""
    database = Database(url)
    upgrade(database)
    database.close()
    made = RegisteredModels(url, folder, bundles)
    yield made
    made.close()
