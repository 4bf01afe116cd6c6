"""Keeps this server's model the one that `champion` names: fetched, verified and warm before it answers anyone.

Knows the registry and the service that answers; no HTTP. While a new model is loaded the old one serves, and where the
new one cannot be loaded it serves on.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from hilum.errors import BundleInvalid, HilumError, ModelConflict, ModelNotFound, RegistryRefused, StorageInvalid
from hilum.inference.bundle import MANIFEST, file_digest, read_manifest
from hilum.services.last_served import LastServed
from hilum.services.model import ServedModel, load_model
from hilum.services.model_refusal import Refusal
from hilum.services.prediction import PredictionService
from hilum.services.registry import CHALLENGER, CHAMPION, Alias, ModelRecord, Registry, conflict
from hilum.services.shadow import Shadow

LOOK_S = 2.0
"""How often a server looks where `champion` points."""

_FALLBACKS = 3
"""Earlier champions that are tried at the start where the champion cannot be loaded."""

log = logging.getLogger(__name__)


class Deployment:
    """Follows `champion` on a thread of its own.

    Attributes:
        registry: of the models that may serve.
        service: which answers with one of them, and is handed the next.
        shadow: compares the challenger with it.
    """

    def __init__(
        self,
        registry: Registry,
        bundle: Path,
        home: Path,
        *,
        follows: bool = True,
        shadow_share: float = 0.1,
        load: Callable[[Path], ServedModel] = load_model,
    ) -> None:
        """Takes the parts; `attach` gets the service, `start` begins to follow.

        Args:
            registry: of the models that may serve.
            bundle: the folder to begin with; it is registered, and is the champion where there is none.
            home: keeps, in its folder `models`, what was fetched and which version served last.
            follows: False: `bundle` serves whatever `champion` says.
            shadow_share: of the requests that the challenger answers too, unseen.
            load: opens, verifies and warms a bundle.
        """
        self.shadow = Shadow(lambda version: load(self._place(version)), self._is_idle, share=shadow_share)
        self.registry = registry
        self._bundle = bundle
        self._last_served = LastServed(home / "models")
        self._follows = follows
        self._load = load
        self._service: PredictionService | None = None
        self._loading = threading.Lock()
        self._checked: tuple[str, ServedModel] | None = None
        self._known_good: set[str] = set()
        self._is_bundle_registered = False
        self._refusal: Refusal | None = None
        self._outage: str | None = None
        self._stop, self._look = threading.Event(), threading.Event()
        self._thread: threading.Thread | None = None

    @property
    def service(self) -> PredictionService:
        """The service whose model is kept."""
        assert self._service is not None  # noqa: S101 - attached where the application is made
        return self._service

    @property
    def trouble(self) -> tuple[str, ...]:
        """What keeps the champion from serving, in words; empty where nothing does."""
        refusal = self._refusal
        return tuple(words for words in (refusal.words if refusal else None, self._outage) if words)

    @property
    def is_behind(self) -> bool:
        """Whether another model serves because the champion cannot be loaded."""
        return self._refusal is not None

    def attach(self, service: PredictionService) -> None:
        """Takes the service, which loads `first_model` when it starts."""
        self._service = service
        service.observe = self.shadow.offer

    def start(self) -> None:
        """Begins to follow the champion, once the first model is loaded or has failed."""
        self.shadow.start()
        self._thread = threading.Thread(target=self._run, name="hilum-deployment", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stops following, and closes the connections."""
        self._stop.set()
        self._look.set()
        if self._thread is not None:
            self._thread.join()
        self.shadow.close()
        self.registry.close()

    def first_model(self) -> ServedModel:
        """The model to begin with: the champion, else an earlier one that can be loaded, else the bundle at hand.

        Raises:
            BundleInvalid: none can be loaded.
        """
        with self._loading:
            for version, place in self._candidates():
                try:
                    model = self._load(place())
                except (HilumError, OSError) as error:
                    self._refusal = self._refusal or self._refused(version, error)
                else:
                    self._last_served.note(model.version)
                    return model
            model = self._load(self._bundle)
            self._last_served.note(model.version)
            return model

    def promote(self, version: str, *, actor: str, expected: str | None = None) -> Alias:
        """Makes a model the champion, once it was loaded here and answers as when it was made.

        Raises:
            ModelNotFound, ChampionMoved: as the registry's.
            BundleInvalid: it cannot be served; the champion stays.
            StorageInvalid: the state cannot be reached.
        """
        with self._loading:
            if version not in self._known_good:
                model = self._loaded(version)
                self._checked = (version, model) if self._follows else None
        alias = self.registry.promote(version, actor=actor, expected=expected)
        self._look.set()
        return alias

    def rollback(self, *, actor: str) -> Alias:
        """Makes the champion before this one the champion again.

        Raises:
            NothingToRollBackTo: there was none before.
            StorageInvalid: the state cannot be reached.
        """
        alias = self.registry.rollback(actor=actor)
        self._look.set()
        return alias

    def look(self) -> None:
        """Looks where `champion` points, and serves that.

        Raises:
            StorageInvalid: the registry cannot be reached; what serves goes on.
        """
        aliases = self.registry.aliases()
        champion, challenger = aliases.get(CHAMPION), aliases.get(CHALLENGER)
        if not self._is_bundle_registered:
            champion = self._register_bundle(champion)
        self.shadow.follow(challenger.version if challenger and challenger.version != self._serving() else None)
        if champion is None or not self._follows:
            return
        if champion.version == self._serving():
            self._refusal = None
            self._checked = None
        elif self._refusal is None or self._refusal.is_over(champion.version):
            self._swap(champion.version)

    def _swap(self, version: str) -> None:
        with self._loading:
            try:
                model = self._loaded(version)
            except StorageInvalid:
                raise
            except Exception as error:  # noqa: BLE001 - whatever a bundle does, the old one serves on
                self._refusal = self._refused(version, error)
                return
            finally:
                self._checked = None
            before = self._serving()
            self.service.replace_model(model)
        self._refusal = None
        self._last_served.note(version)
        log.info("another model serves", extra={"reason": f"{version} instead of {before}"})

    def _loaded(self, version: str) -> ServedModel:
        """The model, verified and warm; the caller holds `_loading`, so that no more than two are in memory."""
        if self._checked is not None and self._checked[0] == version:
            return self._checked[1]
        self._checked = None
        model = self._load(self._place(version))
        if model.version != version:
            raise BundleInvalid(f"the bundle registered as {version} calls itself {model.version}")
        self._known_good.add(version)
        return model

    def _place(self, version: str) -> Path:
        """Where the files of a model lie: the bundle at hand where it is that one, else a folder they are put into."""
        files = self.registry.get(version).files
        manifest = self._bundle / MANIFEST
        if manifest.is_file() and file_digest(manifest) == files.get(MANIFEST):
            return self._bundle
        return self.registry.fetch(version)

    def _candidates(self) -> Iterator[tuple[str, Callable[[], Path]]]:
        """What may serve first, by preference, and where it lies; nothing where that is the bundle at hand."""
        if not self._follows:
            return
        try:
            champion = self.registry.aliases().get(CHAMPION)
        except StorageInvalid as error:
            self._outage = f"the registry cannot be reached: {error.detail}"
            log.warning("the registry cannot be reached; what served last serves", extra={"reason": error.detail})
            last = self._last_served.place()
            if last is not None:
                version, folder = last
                yield version, lambda: folder
            return
        if champion is not None:
            for version in (champion.version, *tuple(reversed(champion.earlier))[:_FALLBACKS]):
                yield version, partial(self._place, version)

    def _register_bundle(self, champion: Alias | None) -> Alias | None:
        """Registers the bundle at hand, once a process, after it serves: its files are many megabytes."""
        self._is_bundle_registered = True
        try:
            version = read_manifest(self._bundle).model_version
            try:
                self._check_same(self.registry.get(version))
            except ModelNotFound:
                self.registry.register(self._bundle)
            if champion is None and self._serving() == version and self.registry.put_first(version):
                return self.registry.aliases().get(CHAMPION)
        except StorageInvalid:
            self._is_bundle_registered = False
            raise
        except (BundleInvalid, ModelConflict) as error:
            log.warning("the bundle at hand is not registered", extra={"reason": error.detail})
        return champion

    def _check_same(self, known: ModelRecord) -> None:
        """Returns where the registered model, or the champion under another version, is the bundle at hand."""
        files = read_manifest(self._bundle).files
        at_hand = {**files, MANIFEST: file_digest(self._bundle / MANIFEST)}
        if known.files == at_hand:
            return
        champion = self.registry.champion()
        if champion is None or {**champion.files, MANIFEST: at_hand[MANIFEST]} != at_hand:
            raise conflict(known.version, known.files, at_hand)

    def _is_idle(self) -> bool:
        workers = self.service.workers
        return workers.admitted < workers.threads

    def _serving(self) -> str | None:
        try:
            return self.service.model.version
        except HilumError:
            return None

    def _refused(self, version: str, error: Exception) -> Refusal:
        if isinstance(error, HilumError):
            reason = error.detail
        else:
            log.error("loading a model failed", exc_info=error)
            reason = "it could not be loaded; the log says why"
        refusal = Refusal.after(self._refusal, version, rest_s=LOOK_S, words=f"{version} cannot be served: {reason}")
        log.error("the champion cannot be served; another model serves on", extra={"reason": refusal.words})
        return refusal

    def _run(self) -> None:
        self.service.loaded.wait()
        while not self._stop.is_set():
            self._look.clear()
            try:
                self.look()
                self._outage = None
            except StorageInvalid as error:
                if self._outage is None:
                    log.warning("the registry cannot be reached; what serves goes on", extra={"reason": error.detail})
                self._outage = f"the registry cannot be reached: {error.detail}"
            except RegistryRefused as error:
                log.warning("the champion is not registered", extra={"reason": error.detail})
            except Exception:
                log.exception("following the champion failed")
            self._look.wait(LOOK_S)
