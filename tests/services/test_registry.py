"""Models are registered once, fetched whole, promoted and rolled back; on SQLite and PostgreSQL."""

from __future__ import annotations

import itertools
import pickle
import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest

from hilum.errors import (
    BundleInvalid,
    ChampionMoved,
    DatabaseUnavailable,
    ModelConflict,
    ModelNotFound,
    NothingToRollBackTo,
)
from hilum.inference.bundle import open_bundle
from hilum.inference.predictor import Predictor
from hilum.services.audit_log import export, verify
from hilum.services.bundle_store import BUNDLES
from hilum.services.registry import CHALLENGER, CHAMPION, Registry, conflict
from hilum.storage import training_runs
from hilum.storage.blobs import folder_url, open_blobs
from hilum.storage.database import Database
from hilum.storage.schema import upgrade
from tiny_bundle import write_tiny_bundle
from training_run_samples import stored_run

VERSIONS = ("tiny-a", "tiny-b", "tiny-c")


@dataclass
class Kept:
    """A registry, what it is made of, and three bundles it may keep."""

    registry: Registry
    database: Database
    folder: Path
    bundles: dict[str, Path]

    def register_all(self) -> None:
        """Registers the three bundles."""
        for folder in self.bundles.values():
            self.registry.register(folder)

    def events(self) -> list[tuple[str, str, str]]:
        """Kind, actor and subject of what the audit log holds."""
        return [(event.kind, event.actor, event.subject) for event in export(self.database)]

    def blob(self, digest: str) -> Path:
        """Where the store keeps a file."""
        return self.folder / "blobs" / BUNDLES / digest[:2] / digest


@pytest.fixture(scope="session")
def bundles(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Three bundles that answer differently."""
    home = tmp_path_factory.mktemp("bundles")
    return {name: write_tiny_bundle(home / name, version=name, seed=n) for n, name in enumerate(VERSIONS, 5)}


@pytest.fixture
def kept(database_url: str, tmp_path: Path, bundles: dict[str, Path]) -> Iterator[Kept]:
    """An empty registry on each kind of database in turn."""
    database = Database(database_url)
    upgrade(database)
    blobs = open_blobs(folder_url(tmp_path / "blobs"), BUNDLES)
    yield Kept(Registry(database, blobs, tmp_path / "home"), database, tmp_path, bundles)
    database.close()


def test_a_registered_bundle_is_found_with_its_lineage(kept: Kept) -> None:
    made = kept.registry.register(
        kept.bundles["tiny-a"], run_id="run-1", snapshot_digest="d" * 64, parent="tiny-0", report={"verdict": "promote"}
    )

    found = kept.registry.get("tiny-a")
    assert found == made
    assert (found.run_id, found.parent_version, found.snapshot_digest) == ("run-1", "tiny-0", "d" * 64)
    assert found.report == {"verdict": "promote"}
    assert found.code_version == "test"
    assert found.headline == {"accuracy": found.metrics["accuracy"], "macro_f1": found.metrics["macro_f1"], "n": 315}
    assert found.manifest["class_names"] == list(open_bundle(kept.bundles["tiny-a"]).manifest.class_names)
    kept.registry.register(kept.bundles["tiny-b"])
    assert [model.version for model in kept.registry.list()] == ["tiny-b", "tiny-a"]
    assert kept.events() == [("model-registered", "system", "tiny-a"), ("model-registered", "system", "tiny-b")]


def test_the_same_bundle_is_registered_once_and_a_changed_one_never(kept: Kept, tmp_path: Path) -> None:
    first = kept.registry.register(kept.bundles["tiny-a"])
    assert kept.registry.register(kept.bundles["tiny-a"]) == first
    assert len(kept.events()) == 1
    changed = write_tiny_bundle(tmp_path / "changed", version="tiny-a", seed=99)
    with pytest.raises(ModelConflict, match=r"\(manifest.json, model.onnx\).*models register BUNDLE --as VERSION"):
        kept.registry.register(changed)
    assert kept.registry.get("tiny-a") == first


def test_a_conflict_names_the_files_that_only_one_has() -> None:
    said = conflict("tiny-a", {"model.onnx": "1", "card.md": "2"}, {"model.onnx": "1", "inputs.json": "3"})
    assert "with other files (card.md, inputs.json);" in said.detail


def test_a_changed_bundle_is_registered_under_a_version_of_its_own(kept: Kept, tmp_path: Path) -> None:
    kept.registry.register(kept.bundles["tiny-a"])
    changed = write_tiny_bundle(tmp_path / "changed", version="tiny-a", seed=99)
    found = kept.registry.register(changed, version="tiny-a.2")
    assert found.version == found.manifest["model_version"] == "tiny-a.2"
    assert Predictor.load(kept.registry.fetch("tiny-a.2")).manifest.model_version == "tiny-a.2"
    assert kept.registry.register(changed, version="tiny-a.2") == found
    with pytest.raises(BundleInvalid, match="plain name"):
        kept.registry.register(changed, version="../tiny")


def test_a_damaged_bundle_is_not_registered(kept: Kept, tmp_path: Path) -> None:
    damaged = shutil.copytree(kept.bundles["tiny-a"], tmp_path / "damaged")
    graph = damaged / "model.onnx"
    graph.write_bytes(graph.read_bytes()[:-1])
    with pytest.raises(BundleInvalid, match="damaged"):
        kept.registry.register(damaged)
    with pytest.raises(BundleInvalid, match="plain name"):
        kept.registry.register(write_tiny_bundle(tmp_path / "named", version="../../x"))
    assert kept.registry.list() == []


def test_a_fetched_bundle_is_what_was_registered(kept: Kept) -> None:
    kept.register_all()

    folder = kept.registry.fetch("tiny-b")

    assert folder == kept.folder / "home" / "models" / "tiny-b"
    assert Predictor.load(folder).manifest.model_version == "tiny-b"
    before = (folder / "model.onnx").stat().st_mtime_ns
    assert kept.registry.fetch("tiny-b") == folder
    assert (folder / "model.onnx").stat().st_mtime_ns == before


@pytest.mark.parametrize("damage", ["truncated", "flipped", "emptied", "missing", "linked", "folder-is-a-file"])
def test_a_damaged_folder_is_fetched_again(kept: Kept, damage: str) -> None:
    kept.register_all()
    folder = kept.registry.fetch("tiny-a")
    graph = folder / "model.onnx"
    data = graph.read_bytes()
    if damage == "folder-is-a-file":
        shutil.rmtree(folder)
        folder.write_bytes(b"")
    elif damage == "linked":
        graph.rename(folder / "elsewhere")
        graph.symlink_to(folder / "elsewhere")
    elif damage == "missing":
        graph.unlink()
    else:
        graph.write_bytes({"truncated": data[:100], "flipped": data[:-9] + b"\0" + data[-8:], "emptied": b""}[damage])

    again = kept.registry.fetch("tiny-a")

    assert (again / "model.onnx").read_bytes() == data
    assert not (again / "model.onnx").is_symlink()
    assert [path.name for path in again.parent.iterdir()] == ["tiny-a"]


@pytest.mark.parametrize("damage", ["truncated", "missing"])
def test_what_is_damaged_in_the_store_is_never_half_fetched(kept: Kept, damage: str) -> None:
    model = kept.registry.register(kept.bundles["tiny-a"])
    blob = kept.blob(model.files["model.onnx"])
    if damage == "missing":
        blob.unlink()
    else:
        blob.write_bytes(blob.read_bytes()[:10])

    with pytest.raises(BundleInvalid, match="lost or damaged"):
        kept.registry.fetch("tiny-a")

    assert list((kept.folder / "home" / "models").iterdir()) == []
    kept.registry.register(kept.bundles["tiny-a"])
    assert Predictor.load(kept.registry.fetch("tiny-a")).manifest.model_version == "tiny-a"


def test_several_fetch_at_once(kept: Kept) -> None:
    kept.register_all()
    with ThreadPoolExecutor(8) as threads:
        folders = set(threads.map(lambda _: kept.registry.fetch("tiny-a"), range(24)))
    assert len(folders) == 1
    assert Predictor.load(folders.pop()).manifest.model_version == "tiny-a"


@pytest.mark.parametrize(
    "version",
    ["../../x", "%2e%2e%2f", "..\\x", "/etc/passwd", "a" * 4096, "tiny-²", "", ".", "..", "a/b", "a\0b", "tiny-a\n"],
)
def test_a_version_that_is_no_plain_name_is_not_found(kept: Kept, version: str) -> None:
    kept.register_all()
    for ask in (kept.registry.get, kept.registry.fetch, kept.registry.put_first, kept.registry.challenge):
        with pytest.raises(ModelNotFound):
            ask(version)
    with pytest.raises(ModelNotFound):
        kept.registry.promote(version, actor="cli")
    assert not (kept.folder / "home" / "models").exists()


def test_rollback_goes_back_along_the_promotions(kept: Kept) -> None:
    kept.register_all()
    registry = kept.registry
    assert registry.champion() is None
    with pytest.raises(NothingToRollBackTo):
        registry.rollback(actor="cli")
    assert registry.put_first("tiny-a")
    assert not registry.put_first("tiny-b")
    registry.promote("tiny-b", actor="key-1")
    registry.promote("tiny-b", actor="key-1")
    assert registry.promote("tiny-c", actor="key-2", expected="tiny-b").earlier == ("tiny-a", "tiny-b")

    assert registry.rollback(actor="cli").version == "tiny-b"
    assert registry.rollback(actor="cli").version == "tiny-a"
    with pytest.raises(NothingToRollBackTo):
        registry.rollback(actor="cli")

    champion = registry.champion()
    assert champion is not None
    assert champion.version == "tiny-a"
    assert kept.events()[3:] == [
        ("promote", "system", "tiny-a"),
        ("promote", "key-1", "tiny-b"),
        ("promote", "key-2", "tiny-c"),
        ("rollback", "cli", "tiny-b"),
        ("rollback", "cli", "tiny-a"),
    ]
    verify(kept.database)


def test_a_promotion_that_expects_another_champion_is_refused(kept: Kept) -> None:
    kept.register_all()
    with pytest.raises(ChampionMoved, match="none"):
        kept.registry.promote("tiny-b", actor="cli", expected="tiny-a")
    kept.registry.promote("tiny-b", actor="cli")
    with pytest.raises(ChampionMoved, match="tiny-b"):
        kept.registry.promote("tiny-c", actor="cli", expected="tiny-a")
    assert kept.registry.aliases()[CHAMPION].version == "tiny-b"


def test_a_promoted_challenger_is_one_no_longer(kept: Kept) -> None:
    kept.register_all()
    kept.registry.put_first("tiny-a")
    kept.registry.challenge("tiny-b")
    kept.registry.promote("tiny-c", actor="cli")
    assert kept.registry.aliases()[CHALLENGER].version == "tiny-b"
    kept.registry.promote("tiny-b", actor="cli")
    assert set(kept.registry.aliases()) == {CHAMPION}
    kept.registry.challenge("tiny-c", actor="key-a")
    kept.registry.challenge(None)
    assert kept.events()[-2:] == [("challenger", "key-a", "tiny-c"), ("challenger", "system", "")]
    assert set(kept.registry.aliases()) == {CHAMPION}


def test_a_promotion_approves_the_run_that_waits_for_it(kept: Kept) -> None:
    kept.register_all()
    waiting = stored_run(1, status="awaiting-approval", model_version="tiny-b", active_slot=None)
    refused = stored_run(2, status="refused", model_version="tiny-c", active_slot=None)
    with kept.database.writing() as connection:
        for run in (waiting, refused):
            training_runs.add(connection, run)
    for version in ("tiny-b", "tiny-c"):
        kept.registry.promote(version, actor="cli")
    with kept.database.reading() as connection:
        found = [training_runs.find(connection, run.id) for run in (waiting, refused)]
    assert [run.status for run in found if run is not None] == ["promoted", "refused"]


def test_promotions_at_once_follow_one_another(kept: Kept) -> None:
    kept.register_all()
    kept.registry.put_first("tiny-a")
    with ThreadPoolExecutor(4) as threads:
        list(threads.map(lambda n: kept.registry.promote(VERSIONS[n % 3], actor="cli"), range(24)))

    alias = kept.registry.aliases()[CHAMPION]
    promoted = [subject for kind, _, subject in kept.events() if kind == "promote"]
    assert [*alias.earlier, alias.version] == promoted
    assert all(one != other for one, other in itertools.pairwise(promoted))
    verify(kept.database)


def test_the_first_champion_is_chosen_once(kept: Kept) -> None:
    kept.register_all()
    with ThreadPoolExecutor(4) as threads:
        first = list(threads.map(kept.registry.put_first, VERSIONS * 2))
    assert first.count(True) == 1


def test_the_audit_log_can_be_off(kept: Kept, tmp_path: Path) -> None:
    blobs = open_blobs(folder_url(tmp_path / "blobs"), BUNDLES)
    quiet = Registry(kept.database, blobs, tmp_path / "home", is_audited=False)
    quiet.register(kept.bundles["tiny-a"])
    quiet.promote("tiny-a", actor="cli")
    assert kept.events() == []


def test_a_database_that_does_not_answer_is_said(tmp_path: Path, bundles: dict[str, Path]) -> None:
    database = Database("postgresql://nobody:x@127.0.0.1:1/none")
    registry = Registry(database, open_blobs(folder_url(tmp_path), BUNDLES), tmp_path)
    for ask in (registry.list, registry.champion, registry.aliases, lambda: registry.register(bundles["tiny-a"])):
        with pytest.raises(DatabaseUnavailable):
            ask()


def test_what_no_manifest_names_is_neither_kept_nor_fetched(kept: Kept, tmp_path: Path) -> None:
    """H116: beside the bundle's own files lie some that would run code when they are loaded."""
    bundle = write_tiny_bundle(tmp_path / "laden", version="tiny-laden", seed=9)
    named = {file.name for file in bundle.iterdir()}
    bomb = pickle.dumps(_Exploding(str(tmp_path / "exploded")))
    for name in ("model.keras", "model.h5", "head.pkl", "weights.npy"):
        (bundle / name).write_bytes(bomb)
    kept.registry.register(bundle)

    fetched = kept.registry.fetch("tiny-laden")
    open_bundle(fetched).load_engine(threads=1)
    assert {file.name for file in fetched.iterdir()} == named
    assert not [file for file in (tmp_path / "blobs").rglob("*") if file.is_file() and file.read_bytes() == bomb]
    assert not (tmp_path / "exploded").exists()


@dataclass
class _Exploding:
    """Writes a file when it is unpickled."""

    path: str

    def __reduce__(self) -> tuple[object, ...]:
        return Path.touch, (Path(self.path),)
