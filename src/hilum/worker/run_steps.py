"""The steps of a training run, each of which may be done again after a kill. Knows training; not how steps are kept."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hilum.dataset.labels import LabelScheme
from hilum.dataset.manifest import DatasetManifest
from hilum.errors import BundleInvalid, ChampionMoved, TrainingFailed
from hilum.inference.bundle import METRICS, gate_of, open_bundle
from hilum.inference.manifest import Manifest
from hilum.services.datasets import Datasets
from hilum.services.promotion import compare_bundles
from hilum.services.registry import Registry
from hilum.services.run_ledger import RunLedger
from hilum.services.run_rules import RunStatus, decided_status
from hilum.storage.training_runs import StoredRun
from hilum.training.assessment import assess
from hilum.training.renewal import Renewal, renew_head
from hilum.training.report import write_assessment
from hilum.training.watch import Watch

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class RunSteps:
    """One run's steps over the parts of the product.

    Attributes:
        run: as its worker took it.
        ledger: of its row.
        datasets: has its snapshot.
        registry: has the champion, and gets the new model.
        folder: for its data, checkpoints and bundle; whole after a kill.
        features: folder of features of slices, which runs share.
        rest: called after so many seconds of work, which it may follow with a pause.
    """

    run: StoredRun
    ledger: RunLedger
    datasets: Datasets
    registry: Registry
    folder: Path
    features: Path
    rest: Callable[[float], None]

    def lay_out(self) -> None:
        """Writes the snapshot's images into the folder."""
        self.ledger.report("snapshot", 0.0)
        self._manifest()
        self.ledger.report("snapshot", 1.0)

    def train(self) -> None:
        """Trains from the champion and writes the bundle; one that is there already is not made again."""
        if self._made() is not None:
            return
        if self.run.mode == "head" and self._renew():
            return
        self._train()

    def _renew(self) -> bool:
        """Puts a new head on the champion's graphs; False where they cannot be taken apart."""
        parent = self._parent()
        if parent is None:
            return False
        try:
            renewal = Renewal.of(parent[0])
        except TrainingFailed as error:
            log.info("the head is learnt the slow way", extra={"reason": error.detail})
            return False
        renew_head(
            self._manifest(),
            self._bundle,
            renewal,
            lambda stage, share, _: self.ledger.report(stage, share),
            kept_in=self.features,
            epochs=self.run.n_epochs,
            watch=self._watch,
        )
        return True

    def _train(self) -> None:
        from hilum.training.pipeline import train  # loads Keras
        from hilum.training.training_settings import TrainingSettings

        manifest, parent = self._manifest(), self._parent()
        class_names = parent[1].class_names if parent and self.run.mode == "head" else manifest.class_names
        settings = TrainingSettings(
            mode="head" if self.run.mode == "head" else "full",
            epochs=self.run.n_epochs,
            parent=parent[0] if parent else None,
            anonymous_neighbours=True,  # files of a snapshot are named by their hash
        )
        train(
            manifest,
            self._bundle,
            settings,
            lambda stage, share, _: self.ledger.report(stage, share),
            scheme=LabelScheme.of(class_names),
            gate_from=parent[0] if parent and gate_of(parent[0]) else None,
            watch=self._watch,
        )

    def compare(self) -> dict[str, Any]:
        """Measures the new model on the frozen test set and compares it with the champion of now.

        Returns:
            The report; `champion_version` names whom it was compared with.
        """
        made = self._made()
        if made is None:
            raise BundleInvalid("what this run trained is gone from the worker's disk; ask for a run again")
        manifest = self._manifest()
        if METRICS not in made.files:
            measured = assess(
                self._bundle,
                manifest,
                "test",
                lambda _, share, __: self.ledger.report("measure", share),
                quick=True,
                is_free_of_copies=True,  # the intake accepts no copy of a test image
            )
            write_assessment(measured, self._bundle, None)
        self.ledger.report("compare", 0.0)
        champion = self.registry.champion()
        if champion is None:
            return {"verdict": "promote", "checks": [], "flipped": [], "champion_version": None}
        compared = compare_bundles(
            self.registry.fetch(champion.version),
            self._bundle,
            manifest,
            image_ids=self.datasets.image_ids([record.sha256 for record in manifest.records]),
            features=self._known_features(champion.version, manifest),
            progress=lambda share: self.ledger.report("compare", share),
        )
        return {**compared.to_dict(), "champion_version": champion.version}

    def _known_features(self, champion: str, manifest: DatasetManifest) -> dict[str, NDArray[np.float32]]:
        """What the champion makes of the images learnt, where the run started from it and kept that."""
        parent = self._parent()
        if self.run.mode != "head" or parent is None or champion != self.run.parent_version:
            return {}
        try:
            renewal = Renewal.of(parent[0])
        except TrainingFailed:
            return {}
        return renewal.served_features(self.features, [r.sha256 for r in manifest.records if r.split != "test"])

    def register(self, report: dict[str, Any]) -> str:
        """Keeps the bundle for good and returns its version."""
        self.ledger.report("register", 0.0)
        record = self.registry.register(
            self._bundle,
            run_id=str(self.run.id),
            snapshot_digest=self.run.snapshot_digest,
            parent=self.run.parent_version,
            report=report,
        )
        self.ledger.note(model_version=record.version, report=report)
        return record.version

    def decide(self, version: str, report: dict[str, Any]) -> str:
        """Promotes, leaves it to a person, or refuses, as the policy says."""
        self.ledger.report("decide", 1.0)
        status = decided_status(self.run.policy, str(report["verdict"]))
        failure = None
        champion = self.registry.champion()
        if status is RunStatus.PROMOTED and (champion is None or champion.version != version):
            try:
                self.registry.promote(version, actor=self.run.actor, expected=report["champion_version"])
            except ChampionMoved as error:
                status, failure = RunStatus.AWAITING_APPROVAL, f"not promoted by itself: {error.detail}"
        if status is RunStatus.AWAITING_APPROVAL:
            self.registry.challenge(version)
        self.ledger.end(status, model_version=version, report=report, failure=failure)
        return status

    def tidy(self) -> None:
        """Removes the folder; the registry and the snapshot have what is worth keeping."""
        shutil.rmtree(self.folder, ignore_errors=True)

    @property
    def _watch(self) -> Watch:
        return Watch(on_epoch=self.ledger.add_epoch, on_batch=self.ledger.report, rest=self.rest)

    @property
    def _bundle(self) -> Path:
        return self.folder / "bundle"

    def _made(self) -> Manifest | None:
        try:
            return open_bundle(self._bundle).manifest
        except BundleInvalid:
            return None

    def _parent(self) -> tuple[Path, Manifest] | None:
        if self.run.parent_version is None:
            return None
        folder = self.registry.fetch(self.run.parent_version)
        return folder, open_bundle(folder).manifest

    def _manifest(self) -> DatasetManifest:
        """The snapshot; a head keeps the champion's classes, so that others are left out of everything."""
        manifest = self.datasets.materialise(self.run.snapshot_digest, self.folder / "data")
        parent = self._parent() if self.run.mode == "head" else None
        if parent is None:
            return manifest
        names = set(parent[1].class_names)
        kept = tuple(record for record in manifest.records if record.class_name in names)
        known = tuple(name for name in manifest.class_names if name in names)
        return manifest.model_copy(update={"records": kept, "class_names": known})
