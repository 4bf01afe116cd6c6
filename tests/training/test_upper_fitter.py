"""Blocks above a frozen trunk: they alone learn, and a fit that was interrupted goes on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import pytest

from hilum.errors import TrainingFailed
from hilum.training.architectures import HEAD, POOL
from hilum.training.efficientnet_lite import TRUNK
from hilum.training.fit_settings import FitSettings
from hilum.training.fitter import Fitted
from hilum.training.trainer import FINAL, TrainingData
from hilum.training.upper_fitter import UpperFitter, count_variants
from hilum.training.watch import Watch

SETTINGS = FitSettings(epochs=2, patience=None, batch_size=8)
LEARN, HOLD = np.arange(16), np.arange(16, 24)


@pytest.fixture(autouse=True)
def few_variants(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hilum.training.upper_fitter.VARIANTS", 2)


def build() -> keras.Model:
    """Two convolutions, of which the first is the trunk, with weights that are always the same."""
    keras.utils.set_random_seed(0)
    inputs = keras.Input((64, 64, 1), name="slice")
    x = keras.layers.Conv2D(8, 8, 8, activation="relu", name="lower", trainable=False)(inputs)
    x = keras.layers.Conv2D(8, 3, name="upper")(keras.layers.Activation("linear", name=TRUNK)(x))
    x = keras.layers.ReLU()(keras.layers.BatchNormalization(name="norm")(x))
    return keras.Model(inputs, keras.layers.Dense(2, name=HEAD)(keras.layers.GlobalAveragePooling2D(name=POOL)(x)))


def fitter(
    data: TrainingData, folder: Path, stages: list[str] | None = None, watch: Watch | None = None
) -> UpperFitter:
    told: list[str] = [] if stages is None else stages
    return UpperFitter(data, build, folder, lambda stage, *_: told.append(stage), watch or Watch())


def fit(run: UpperFitter) -> Fitted:
    run.checkpoints.mkdir(exist_ok=True)
    return run.fit("fold", LEARN, HOLD, SETTINGS)


def test_the_upper_blocks_learn_and_the_trunk_stays_as_it_was(phantom_data: TrainingData, tmp_path: Path) -> None:
    stages: list[str] = []
    fitted = fit(fitter(phantom_data, tmp_path, stages))
    assert stages == ["fold-trunk"] * 2 + ["fold"] * 2
    before, after = build(), fitted.classifier
    for name, is_same in (("lower", True), ("upper", False), ("norm", False), (HEAD, False)):
        pairs = zip(before.get_layer(name).get_weights(), after.get_layer(name).get_weights(), strict=True)
        assert all(np.array_equal(a, b) for a, b in pairs) == is_same, name
    assert [row["epoch"] for row in fitted.history] == [1, 2]
    assert {"val_loss", "val_accuracy"} <= set(fitted.history[0])


def test_the_whole_classifier_answers_as_its_upper_blocks_did(phantom_data: TrainingData, tmp_path: Path) -> None:
    fitted = fit(fitter(phantom_data, tmp_path))
    answers = fitted.classifier.predict(phantom_data.tensors[HOLD], verbose=0)
    assert np.allclose(fitted.held_out_logits, answers, atol=1e-5)


def test_a_watch_is_called_between_batches_of_the_trunk_and_may_end_it(
    phantom_data: TrainingData, tmp_path: Path
) -> None:
    shares: list[float] = []

    def stop(stage: str, share: float) -> None:
        shares.append(share)
        if stage == "fold-trunk" and share == 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fit(fitter(phantom_data, tmp_path, watch=Watch(on_batch=stop)))
    assert shares == [0.5, 1.0]


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="what files are open is read from /proc")
def test_what_the_trunk_made_is_gone_from_the_disk_with_its_fit(phantom_data: TrainingData, tmp_path: Path) -> None:
    fit(fitter(phantom_data, tmp_path))
    opened = [path.readlink() for path in Path("/proc/self/fd").iterdir() if path.is_symlink()]
    assert not [path for path in opened if path.is_relative_to(tmp_path)]


def test_nothing_of_what_is_held_out_is_learnt(phantom_data: TrainingData, tmp_path: Path) -> None:
    bases = np.array(phantom_data.bases)
    bases[HOLD] = 255 - bases[HOLD]
    other = replace(phantom_data, bases=bases)
    answers = [fit(fitter(data, tmp_path / str(id(data)))).held_out_logits for data in (phantom_data, other)]
    assert np.array_equal(*answers)


def test_an_interrupted_fit_goes_on_as_if_it_had_not_been(phantom_data: TrainingData, tmp_path: Path) -> None:
    def kill(stage: str, row: Mapping[str, float]) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fit(fitter(phantom_data, tmp_path / "killed", watch=Watch(on_epoch=kill)))
    stages: list[str] = []
    resumed = fit(fitter(phantom_data, tmp_path / "killed", stages))
    assert stages == ["fold-trunk"] * 2 + ["fold"]
    straight = fit(fitter(phantom_data, tmp_path / "straight"))
    assert np.allclose(resumed.held_out_logits, straight.held_out_logits, atol=1e-4)


def test_a_finished_fold_is_loaded_where_its_weights_are_kept(phantom_data: TrainingData, tmp_path: Path) -> None:
    before = fit(fitter(phantom_data, tmp_path))
    stages: list[str] = []
    after = fit(fitter(phantom_data, tmp_path, stages))
    assert stages == []
    assert after.history == before.history
    answers = after.classifier.predict(phantom_data.tensors[HOLD], verbose=0)
    assert np.allclose(answers, before.held_out_logits, atol=1e-5)
    (tmp_path / "fold" / FINAL).unlink()
    with pytest.raises(TrainingFailed, match="to fit it again"):
        _ = fit(fitter(phantom_data, tmp_path)).classifier


def test_many_slices_have_fewer_variants_each(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hilum.training.upper_fitter.VARIANTS", 40)
    assert [count_variants(n_slices) for n_slices in (1, 480, 2_000, 100_000)] == [40, 40, 20, 8]
