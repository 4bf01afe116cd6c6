"""A server serves the champion, and whatever is wrong with the next one, the old one serves on."""

from __future__ import annotations

import asyncio
import shutil
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from hilum.errors import BundleInvalid, DatabaseUnavailable
from hilum.inference.bundle import MANIFEST, add_to_bundle
from hilum.inference.manifest import Manifest
from hilum.inference.measured_answers import MeasuredAnswers
from hilum.services import deployment as deployment_module
from hilum.services.deployment import Deployment
from hilum.services.model import ServedModel, load_model
from hilum.services.registry import CHAMPION
from registered_models import RegisteredModels, registered_models, write_bundles
from tiny_bundle import GRAPH, write_tiny_bundle

Damage = Callable[[Path], None]


@pytest.fixture(scope="session")
def bundles(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Three bundles that answer differently."""
    return write_bundles(tmp_path_factory.mktemp("bundles"))


@pytest.fixture
def empty(database_url: str, tmp_path: Path, bundles: dict[str, Path]) -> Iterator[RegisteredModels]:
    """A registry on each kind of database in turn, without a model."""
    with registered_models(database_url, tmp_path, bundles) as made:
        yield made


@pytest.fixture
def models(empty: RegisteredModels) -> RegisteredModels:
    """A registry with the three models and no champion."""
    for folder in empty.bundles.values():
        empty.registry.register(folder)
    return empty


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Servers look more often than they would."""
    monkeypatch.setattr(deployment_module, "LOOK_S", 0.02)


def serves(deployment: Deployment, version: str, within_s: float = 10) -> bool:
    """Whether a version serves soon."""
    until = time.monotonic() + within_s
    while deployment.service.model.version != version and time.monotonic() < until:
        time.sleep(0.01)
    return deployment.service.model.version == version


def test_the_bundle_at_hand_is_the_first_champion(empty: RegisteredModels, tmp_path: Path) -> None:
    models = empty
    with models.serving() as deployment:
        assert deployment.service.model.version == "tiny-a"
        assert models.registry.list() == []
        deployment.look()
    assert [model.version for model in models.registry.list()] == ["tiny-a"]
    assert models.registry.aliases()[CHAMPION].version == "tiny-a"
    assert not (tmp_path / "server" / "models" / "tiny-a").exists()


def test_a_bundle_is_registered_beside_a_champion_that_is_there(models: RegisteredModels) -> None:
    models.registry.promote("tiny-b", actor="cli")
    write_tiny_bundle(models.folder / "tiny-d", version="tiny-d", seed=9)
    models.bundles = models.bundles | {"tiny-d": models.folder / "tiny-d"}
    with models.serving(bundle="tiny-d") as deployment:
        deployment.look()
        assert deployment.service.model.version == "tiny-b"
    assert models.registry.get("tiny-d").parent_version is None
    assert models.registry.aliases()[CHAMPION].version == "tiny-b"


def test_a_bundle_measured_again_since_its_version_was_registered(
    models: RegisteredModels, caplog: pytest.LogCaptureFixture
) -> None:
    models.registry.promote("tiny-a", actor="cli")
    measured = shutil.copytree(models.bundles["tiny-a"], models.folder / "measured")
    answers = MeasuredAnswers(split="test", dataset_digest="0" * 64, class_names=(), answers=())
    (measured / "answers.json").write_text(answers.model_dump_json())
    add_to_bundle(measured, [measured / "answers.json"])
    models.bundles = models.bundles | {"measured": measured}
    with models.serving(bundle="measured") as deployment:
        deployment.look()
        deployment.look()
        assert deployment.service.model.version == "tiny-a"
        assert "answers.json" not in deployment.service.model.predictor.manifest.files
        (told,) = [record for record in caplog.records if "not registered" in record.message]
        assert "(answers.json, manifest.json)" in told.reason  # type: ignore[attr-defined]
        assert "hilum models register BUNDLE --as VERSION" in told.reason  # type: ignore[attr-defined]
        models.registry.register(measured, version="tiny-a.2")
        deployment.promote("tiny-a.2", actor="cli")
        deployment.look()
        assert "answers.json" in deployment.service.model.predictor.manifest.files
    caplog.clear()
    with models.serving(bundle="measured") as deployment:
        deployment.look()
        assert deployment.service.model.version == "tiny-a.2"
    assert caplog.records == []


def test_every_server_follows_promotions_and_rollbacks(models: RegisteredModels, quick: None, slice_png: bytes) -> None:
    with models.serving("one") as one, models.serving("two") as two:
        one.start()
        two.start()
        before = asyncio.run(two.service.predict(slice_png))
        one.promote("tiny-b", actor="cli")
        assert serves(one, "tiny-b")
        assert serves(two, "tiny-b")
        after = asyncio.run(two.service.predict(slice_png))
        assert (before.model_version, after.model_version) == ("tiny-a", "tiny-b")
        assert before.probabilities != after.probabilities
        assert after.provenance.document["model"]["version"] == "tiny-b"
        two.rollback(actor="cli")
        assert serves(one, "tiny-a")
        assert serves(two, "tiny-a")
        again = asyncio.run(one.service.predict(slice_png))
        assert again.probabilities == before.probabilities
        assert one.trouble == two.trouble == ()


def test_a_promotion_is_followed_at_once_where_it_was_made(
    models: RegisteredModels, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deployment_module, "LOOK_S", 300)
    with models.serving() as deployment:
        deployment.start()
        deployment.promote("tiny-b", actor="cli")
        assert serves(deployment, "tiny-b")
        deployment.rollback(actor="cli")
        assert serves(deployment, "tiny-a")


def test_a_promotion_loads_its_model_once(models: RegisteredModels) -> None:
    loaded: list[str] = []

    def load(folder: Path) -> ServedModel:
        loaded.append(folder.name)
        return load_model(folder)

    with models.serving(load=load) as deployment:
        deployment.look()
        deployment.promote("tiny-b", actor="cli")
        deployment.look()
        assert loaded == ["tiny-a", "tiny-b"]


def test_a_promotion_overtaken_by_another_servers_is_not_served(models: RegisteredModels) -> None:
    with models.serving() as deployment:
        deployment.look()
        deployment.promote("tiny-b", actor="cli")
        models.registry.promote("tiny-c", actor="cli")
        deployment.look()
        assert deployment.service.model.version == "tiny-c"


def test_a_bundle_registered_under_another_models_version_is_not_served(models: RegisteredModels) -> None:
    load = lambda folder: load_model(models.bundles["tiny-c"] if folder.name == "tiny-b" else folder)  # noqa: E731
    with models.serving(load=load) as deployment:
        deployment.look()
        with pytest.raises(BundleInvalid, match="registered as tiny-b calls itself tiny-c"):
            deployment.promote("tiny-b", actor="cli")


def test_the_challenger_is_compared_until_it_serves_itself(models: RegisteredModels) -> None:
    with models.serving() as deployment:
        deployment.look()
        assert deployment.shadow.report is None
        models.registry.challenge("tiny-b")
        deployment.look()
        assert deployment.shadow.report is not None
        assert deployment.shadow.report.version == "tiny-b"
        models.registry.challenge("tiny-a")
        deployment.look()
        assert deployment.shadow.report is None


def test_a_bundle_not_registered_for_want_of_a_database_is_registered_later(
    empty: RegisteredModels, monkeypatch: pytest.MonkeyPatch
) -> None:
    with empty.serving() as deployment:
        with monkeypatch.context() as patch:
            patch.setattr(deployment.registry, "register", _fails)
            with pytest.raises(DatabaseUnavailable):
                deployment.look()
        assert empty.registry.list() == []
        deployment.look()
    assert empty.registry.aliases()[CHAMPION].version == "tiny-a"


def _fails(*_: object) -> None:
    raise DatabaseUnavailable("it does not answer")


def test_a_request_keeps_the_model_it_began_with(models: RegisteredModels, slice_png: bytes) -> None:
    with models.serving() as deployment:
        service = deployment.service
        deployment.look()
        old = service.model

        async def scenario() -> tuple[str, str]:
            under_way = [asyncio.create_task(service.predict(slice_png)) for _ in range(8)]
            await asyncio.sleep(0)
            deployment.promote("tiny-b", actor="cli")
            deployment.look()
            answers = [await one for one in under_way]
            assert {answer.model_version for answer in answers} == {"tiny-a"}
            assert {answer.provenance.digest for answer in answers} == {old.provenance.digest}
            return answers[0].model_version, (await service.predict(slice_png)).model_version

        assert asyncio.run(scenario()) == ("tiny-a", "tiny-b")


def _truncate(folder: Path) -> None:
    graph = folder / GRAPH
    graph.write_bytes(graph.read_bytes()[:200])


def _flip(folder: Path) -> None:
    data = bytearray((folder / GRAPH).read_bytes())
    data[len(data) // 2] ^= 0xFF
    (folder / GRAPH).write_bytes(bytes(data))


def _empty(folder: Path) -> None:
    (folder / GRAPH).write_bytes(b"")


def _other_class_order(folder: Path) -> None:
    manifest = Manifest.model_validate_json((folder / MANIFEST).read_bytes())
    golden = {
        name: tuple(row.model_copy(update={"probabilities": row.probabilities[::-1]}) for row in rows)
        for name, rows in manifest.golden.items()
    }
    changes = {"class_names": manifest.class_names[::-1], "golden": golden}
    (folder / MANIFEST).write_text(manifest.model_copy(update=changes).model_dump_json())


def _other_class_count(folder: Path) -> None:
    manifest = Manifest.model_validate_json((folder / MANIFEST).read_bytes())
    golden = {
        name: tuple(row.model_copy(update={"probabilities": row.probabilities[:2]}) for row in rows)
        for name, rows in manifest.golden.items()
    }
    names = manifest.class_names[:2]
    changes = {"class_names": names, "cancer_class_names": names, "golden": golden}
    (folder / MANIFEST).write_text(manifest.model_copy(update=changes).model_dump_json())


def _other_side(folder: Path) -> None:
    manifest = Manifest.model_validate_json((folder / MANIFEST).read_bytes())
    preprocessing = manifest.preprocessing.model_copy(update={"side": 96})
    (folder / MANIFEST).write_text(manifest.model_copy(update={"preprocessing": preprocessing}).model_dump_json())


def _graph_changed(folder: Path, change: Callable[[onnx.ModelProto], None]) -> None:
    model = onnx.load(folder / GRAPH)
    change(model)
    onnx.save(model, folder / GRAPH)
    add_to_bundle(folder, [folder / GRAPH])


def _nan_weights(folder: Path) -> None:
    def change(model: onnx.ModelProto) -> None:
        weights = numpy_helper.to_array(model.graph.initializer[0]).copy()
        weights[:] = np.nan
        model.graph.initializer[0].CopyFrom(numpy_helper.from_array(weights, "weights"))

    _graph_changed(folder, change)


def _other_dtype(folder: Path) -> None:
    def change(model: onnx.ModelProto) -> None:
        model.graph.input[0].type.tensor_type.elem_type = onnx.TensorProto.DOUBLE

    _graph_changed(folder, change)


def _newer_opset(folder: Path) -> None:
    def change(model: onnx.ModelProto) -> None:
        model.opset_import[0].version = 9999

    _graph_changed(folder, change)


def _custom_op(folder: Path) -> None:
    def change(model: onnx.ModelProto) -> None:
        model.graph.node[0].domain = "evil.example"

    _graph_changed(folder, change)


def _external_data(folder: Path) -> None:
    def change(model: onnx.ModelProto) -> None:
        weights = model.graph.initializer[0]
        weights.data_location = onnx.TensorProto.EXTERNAL
        entry = weights.external_data.add()
        entry.key, entry.value = "location", "../../../../etc/hostname"
        weights.ClearField("raw_data")

    _graph_changed(folder, change)


DAMAGES: dict[str, Damage] = {
    "truncated": _truncate,
    "flipped": _flip,
    "emptied": _empty,
    "missing": lambda folder: (folder / GRAPH).unlink(),
    "no-manifest": lambda folder: (folder / MANIFEST).unlink(),
    "class-order": _other_class_order,
    "class-count": _other_class_count,
    "input-side": _other_side,
    "nan-weights": _nan_weights,
    "input-dtype": _other_dtype,
    "opset-too-new": _newer_opset,
    "custom-op": _custom_op,
    "external-data": _external_data,
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_bad_bundle_leaves_the_old_one_serving(
    models: RegisteredModels, slice_png: bytes, damage: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The worst case: the registry's hashes are those of the bad bundle, so that only loading it can tell."""
    bad = shutil.copytree(models.bundles["tiny-b"], models.folder / "bad")
    DAMAGES[damage](bad)
    load = lambda folder: load_model(bad if folder.name == "tiny-b" else folder)  # noqa: E731
    with models.serving(load=load) as deployment:
        deployment.look()
        with pytest.raises(BundleInvalid):
            deployment.promote("tiny-b", actor="cli")
        assert models.registry.aliases()[CHAMPION].version == "tiny-a"
        models.registry.promote("tiny-b", actor="cli")
        deployment.look()

        assert deployment.service.model.version == "tiny-a"
        assert asyncio.run(deployment.service.predict(slice_png)).model_version == "tiny-a"
        assert deployment.is_behind
        assert deployment.trouble[0].startswith("tiny-b cannot be served: ")
        deployment.rollback(actor="cli")
        deployment.look()
        assert deployment.trouble == ()


def test_a_bundle_damaged_in_the_store_is_refused_and_served_once_mended(
    models: RegisteredModels, monkeypatch: pytest.MonkeyPatch
) -> None:
    blob = models.blob(models.registry.get("tiny-b").files[GRAPH])
    whole = blob.read_bytes()
    blob.write_bytes(whole[:50])
    with models.serving() as deployment:
        deployment.look()
        models.registry.promote("tiny-b", actor="cli")
        deployment.look()
        assert deployment.service.model.version == "tiny-a"
        assert "lost or damaged in the store" in deployment.trouble[0]
        blob.write_bytes(whole)
        deployment.look()
        assert deployment.service.model.version == "tiny-a", "a refused version rests before it is tried again"
        monkeypatch.setattr(time, "monotonic", lambda now=time.monotonic: now() + 120)
        deployment.look()
        assert deployment.service.model.version == "tiny-b"
        assert deployment.trouble == ()


def test_an_unforeseen_failure_while_loading_is_survived(
    models: RegisteredModels, caplog: pytest.LogCaptureFixture
) -> None:
    def load(folder: Path) -> ServedModel:
        return load_model(folder) if folder.name == "tiny-a" else 1 / 0  # type: ignore[return-value]

    with models.serving(load=load) as deployment:
        deployment.look()
        models.registry.promote("tiny-b", actor="cli")
        deployment.look()
        assert deployment.service.model.version == "tiny-a"
        assert "the log says why" in deployment.trouble[0]
        assert "ZeroDivisionError" in caplog.text


def test_the_start_falls_back_to_the_last_good_champion(models: RegisteredModels) -> None:
    for version in ("tiny-b", "tiny-c"):
        models.registry.promote(version, actor="cli")
    models.blob(models.registry.get("tiny-c").files[GRAPH]).unlink()
    with models.serving() as deployment:
        assert deployment.service.model.version == "tiny-b"
        assert deployment.is_behind
        assert deployment.trouble[0].startswith("tiny-c cannot be served")
    models.blob(models.registry.get("tiny-b").files[GRAPH]).unlink()
    shutil.rmtree(models.folder / "server" / "models" / "tiny-b")
    with models.serving() as deployment:
        assert deployment.service.model.version == "tiny-a"


def test_a_start_without_any_loadable_model_is_not_ready(models: RegisteredModels, tmp_path: Path) -> None:
    broken = shutil.copytree(models.bundles["tiny-a"], tmp_path / "broken")
    _truncate(broken)
    models.bundles = models.bundles | {"broken": broken}
    with models.serving(bundle="broken") as deployment, pytest.raises(BundleInvalid):
        deployment.service.check_ready()
    models.registry.promote("tiny-b", actor="cli")
    with models.serving(bundle="broken") as deployment:
        deployment.look()
        assert deployment.service.model.version == "tiny-b"
        assert deployment.trouble == ()


@pytest.mark.parametrize("it_is_promoted", ["before-the-start", "while-it-serves"])
def test_without_its_database_a_server_starts_with_what_served_last(
    models: RegisteredModels, tmp_path: Path, slice_png: bytes, it_is_promoted: str
) -> None:
    if it_is_promoted == "before-the-start":
        models.registry.promote("tiny-b", actor="cli")
    with models.serving() as up:
        if it_is_promoted == "while-it-serves":
            up.look()
            models.registry.promote("tiny-b", actor="cli")
            up.look()
    down = RegisteredModels("postgresql://nobody:x@127.0.0.1:1/none", tmp_path, models.bundles)
    with down.serving() as deployment:
        assert asyncio.run(deployment.service.predict(slice_png)).model_version == "tiny-b"
        assert "the registry cannot be reached" in deployment.trouble[0]
        with pytest.raises(DatabaseUnavailable):
            deployment.look()
    with down.serving("new") as deployment:
        assert deployment.service.model.version == "tiny-a"


def test_a_database_that_comes_back_is_followed(
    models: RegisteredModels, quick: None, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with models.serving() as deployment:
        aliases = deployment.registry.aliases
        deployment.start()
        assert serves(deployment, "tiny-a")

        monkeypatch.setattr(deployment.registry, "aliases", _fails)
        until = time.monotonic() + 5
        while not deployment.trouble and time.monotonic() < until:
            time.sleep(0.01)
        assert deployment.trouble == ("the registry cannot be reached: it does not answer",)
        time.sleep(0.1)  # some looks, which all fail
        assert len([record for record in caplog.records if "cannot be reached" in record.message]) == 1
        models.registry.promote("tiny-c", actor="cli")
        monkeypatch.setattr(deployment.registry, "aliases", aliases)
        assert serves(deployment, "tiny-c")
        until = time.monotonic() + 5
        while deployment.trouble and time.monotonic() < until:
            time.sleep(0.01)
        assert deployment.trouble == ()


def test_a_server_told_to_serve_one_bundle_follows_nothing(models: RegisteredModels) -> None:
    models.registry.promote("tiny-b", actor="cli")
    with models.serving(bundle="tiny-c", follows=False) as deployment:
        deployment.look()
        assert deployment.service.model.version == "tiny-c"
        deployment.promote("tiny-a", actor="cli")
        deployment.look()
        assert deployment.service.model.version == "tiny-c"
        assert deployment.trouble == ()


def test_a_storm_of_promotions_ends_with_the_last_one_loaded_alone(models: RegisteredModels, quick: None) -> None:
    alive: list[int] = []

    def load(folder: Path) -> ServedModel:
        alive.append(1)
        assert len(alive) == 1, "two models are loaded at once"
        time.sleep(0.005)
        model = load_model(folder)
        alive.pop()
        return model

    with models.serving(load=load) as deployment:
        deployment.look()
        deployment.start()
        with ThreadPoolExecutor(4) as threads:
            list(threads.map(lambda n: deployment.promote(f"tiny-{'abc'[n % 3]}", actor="cli"), range(100)))
        last = models.registry.aliases()[CHAMPION].version
        assert serves(deployment, last)
        assert deployment.trouble == ()
