"""Registered models and the aliases that point at them. Knows bundles as files; neither serves nor judges them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from hilum.errors import BundleInvalid, ChampionMoved, ModelConflict, ModelNotFound, NothingToRollBackTo
from hilum.services.audit_log import PROMOTE, SYSTEM, NewEvent
from hilum.services.bundle_store import BUNDLES, BundleStore, read_contents
from hilum.services.state import StatePlaces
from hilum.storage import models, training_runs
from hilum.storage.audit_log import append
from hilum.storage.blobs import Blobs
from hilum.storage.database import Database
from hilum.storage.models import Alias, ModelRecord, ModelSummary

__all__ = ["Alias", "ModelRecord", "ModelSummary", "Registry"]

CHAMPION, CHALLENGER = "champion", "challenger"
"""The model that serves, and the one that may be next."""

REGISTERED, ROLLED_BACK, CHALLENGED = "model-registered", "rollback", "challenger"
"""Events of the audit log, besides `promote`."""

_VERSION = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
_MOST_EARLIER = 50


def is_version(text: str) -> bool:
    """Whether `text` is a plain name such as a model's version; no other reaches a folder or the database."""
    return _VERSION.fullmatch(text) is not None


class Registry:
    """Models in a database and their files in a store. Safe to use from several threads and processes."""

    def __init__(self, database: Database, blobs: Blobs, home: Path, *, is_audited: bool = True) -> None:
        """Takes where models are kept.

        Args:
            database: with the newest tables, once it answers.
            blobs: where the files of bundles are kept.
            home: bundles are fetched into its folder `models`.
            is_audited: what changes gets its event in the audit log, in the same commit.
        """
        self._database = database
        self._bundles = BundleStore(blobs, home / "models")
        self._is_audited = is_audited

    def close(self) -> None:
        """Closes the connections."""
        self._database.close()

    def register(
        self,
        bundle_dir: Path,
        *,
        version: str | None = None,
        run_id: str | None = None,
        snapshot_digest: str | None = None,
        parent: str | None = None,
        report: dict[str, Any] | None = None,
        actor: str = SYSTEM,
    ) -> ModelRecord:
        """Keeps a bundle for good; the same one again only renews its files.

        Args:
            bundle_dir: the bundle; each file is verified.
            version: it is registered under this one instead of its own.
            run_id: the training run that made it.
            snapshot_digest: the snapshot it was trained on.
            parent: version it was trained from.
            report: how it compared with the champion.
            actor: who asks, for the audit log.

        Raises:
            BundleInvalid: the bundle is damaged, or its version is no plain name.
            ModelConflict: another bundle of this version is registered.
            StorageInvalid: the state cannot be reached.
        """
        contents = read_contents(bundle_dir, version)
        version = contents.manifest.model_version
        if not is_version(version):
            raise BundleInvalid(f"the version {version[:80]!r} is no plain name of letters, digits, '.', '_' and '-'")
        model = ModelRecord(
            version=version,
            created_at=datetime.now(UTC),
            code_version=contents.manifest.code_version,
            headline=_headline(contents.metrics),
            parent_version=parent,
            run_id=run_id,
            snapshot_digest=snapshot_digest,
            files=contents.digests,
            manifest=contents.manifest.model_dump(mode="json"),
            metrics=contents.metrics,
            card=contents.card,
            report=report,
        )
        self._bundles.keep(contents)
        with self._database.writing() as connection:
            if models.add(connection, model):
                self._note(connection, NewEvent(REGISTERED, actor, version))
                return model
            known = models.find(connection, version)
        if known is None or known.files != contents.digests:
            raise conflict(version, known.files if known is not None else {}, contents.digests)
        return known

    def list(self) -> list[ModelSummary]:
        """Every model, the newest first.

        Raises:
            DatabaseUnavailable: the database does not answer.
        """
        with self._database.reading() as connection:
            return models.find_all(connection)

    def get(self, version: str) -> ModelRecord:
        """One model with its documents.

        Raises:
            ModelNotFound: there is none of this version.
            DatabaseUnavailable: the database does not answer.
        """
        found = None
        if is_version(version):
            with self._database.reading() as connection:
                found = models.find(connection, version)
        if found is None:
            raise ModelNotFound("no model of this version is registered; `hilum models list` and GET /models list them")
        return found

    def aliases(self) -> dict[str, Alias]:
        """Where the aliases point, by name.

        Raises:
            DatabaseUnavailable: the database does not answer.
        """
        with self._database.reading() as connection:
            return {alias.name: alias for alias in models.find_aliases(connection)}

    def champion(self) -> ModelRecord | None:
        """The model that serves; None where none was promoted yet.

        Raises:
            DatabaseUnavailable: the database does not answer.
        """
        with self._database.reading() as connection:
            alias = models.find_alias(connection, CHAMPION)
            return models.find(connection, alias.version) if alias is not None else None

    def fetch(self, version: str) -> Path:
        """A folder with the files of a bundle, each verified; there whole or not at all.

        Raises:
            ModelNotFound: there is none of this version.
            BundleInvalid: a file is lost or damaged in the store.
            StorageInvalid: the state cannot be reached, or the folder cannot be written.
        """
        return self._bundles.fetch(version, self.get(version).files)

    def put_first(self, version: str) -> bool:
        """Makes a model the champion where there is none; False where there is one.

        Raises:
            ModelNotFound: there is none of this version.
            DatabaseUnavailable: the database does not answer.
        """
        self.get(version)
        with self._database.writing() as connection:
            alias = Alias(CHAMPION, version, (), datetime.now(UTC), SYSTEM)
            is_first = models.point_first(connection, alias)
            if is_first:
                self._note(connection, NewEvent(PROMOTE, SYSTEM, version))
            return is_first

    def promote(self, version: str, *, actor: str, expected: str | None = None) -> Alias:
        """Makes a model the champion; every server swaps to it within seconds, and its run, if it waits, is approved.

        Args:
            version: of the model; where it is the champion already nothing happens.
            actor: who asks, for the audit log.
            expected: the champion that the caller believes to be there; None: any.

        Raises:
            ModelNotFound: there is none of this version.
            ChampionMoved: another champion than the expected one is there.
            DatabaseUnavailable: the database does not answer.
        """
        model = self.get(version)
        with self._database.writing() as connection:
            now = models.find_alias(connection, CHAMPION, to_move=True)
            if expected is not None and (now is None or now.version != expected):
                raise ChampionMoved(f"the champion is {now.version if now else 'none'}, not {expected[:128]}")
            if now is not None and now.version == version:
                return now
            earlier = (*now.earlier, now.version)[-_MOST_EARLIER:] if now is not None else ()
            moved = Alias(CHAMPION, version, earlier, datetime.now(UTC), actor)
            models.point(connection, moved)
            challenger = models.find_alias(connection, CHALLENGER, to_move=True)
            if challenger is not None and challenger.version == version:
                models.unpoint(connection, CHALLENGER)
            training_runs.approve(connection, version)
            self._note(connection, NewEvent(PROMOTE, actor, version, _details(now, model.report)))
            return moved

    def rollback(self, *, actor: str) -> Alias:
        """Makes the champion before this one the champion again; said again it goes one further back.

        Raises:
            NothingToRollBackTo: there was none before.
            DatabaseUnavailable: the database does not answer.
        """
        with self._database.writing() as connection:
            now = models.find_alias(connection, CHAMPION, to_move=True)
            if now is None or not now.earlier:
                raise NothingToRollBackTo("no champion came before this one")
            moved = replace(
                now, version=now.earlier[-1], earlier=now.earlier[:-1], moved_at=datetime.now(UTC), moved_by=actor
            )
            models.point(connection, moved)
            self._note(connection, NewEvent(ROLLED_BACK, actor, moved.version, {"from": now.version}))
            return moved

    def challenge(self, version: str | None, *, actor: str = SYSTEM) -> None:
        """Makes a model the challenger, or none where `version` is None.

        Raises:
            ModelNotFound: there is none of this version.
            DatabaseUnavailable: the database does not answer.
        """
        if version is not None:
            self.get(version)
        with self._database.writing() as connection:
            if version is None:
                models.unpoint(connection, CHALLENGER)
            else:
                models.point(connection, Alias(CHALLENGER, version, (), datetime.now(UTC), actor))
            self._note(connection, NewEvent(CHALLENGED, actor, version or ""))

    def _note(self, connection: Any, event: NewEvent) -> None:
        if self._is_audited:
            append(connection, [event])


def conflict(version: str, registered: Mapping[str, str], at_hand: Mapping[str, str]) -> ModelConflict:
    """Says how a bundle differs from the registered one of its version, and what to do.

    Args:
        version: of both.
        registered: sha256 of the registered one's files, by name.
        at_hand: of the other's.
    """
    names = sorted(name for name in registered.keys() | at_hand.keys() if registered.get(name) != at_hand.get(name))
    return ModelConflict(
        f"{version} is registered with other files ({', '.join(names)[:200]}); register this bundle under a version of "
        "its own: hilum models register BUNDLE --as VERSION"
    )


def open_registry(places: StatePlaces, *, is_audited: bool = True) -> Registry:
    """The registry in these places; no connection is opened yet.

    Raises:
        StorageInvalid: an address is of no known kind, or the folder for bytes cannot be made.
    """
    return Registry(places.open_database(), places.open_blobs(BUNDLES), places.home, is_audited=is_audited)


def _details(now: Alias | None, report: Mapping[str, Any] | None) -> dict[str, str]:
    """What the audit log is told of a promotion: what it replaces, and what the gate said of the new one."""
    details = {"from": now.version} if now is not None else {}
    verdict = report.get("verdict") if report else None
    return details | ({"verdict": str(verdict)} if verdict else {})


def _headline(metrics: Mapping[str, Any] | None) -> dict[str, Any] | None:
    if metrics is None:
        return None
    return {"accuracy": metrics.get("accuracy"), "macro_f1": metrics.get("macro_f1", metrics.get("f1")),
            "n": metrics.get("n")}  # fmt: skip
