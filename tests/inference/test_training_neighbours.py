"""What a bundle keeps of its training slices: found again, and refused where it is damaged."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from hilum.dataset.sketch import SKETCH_SIZE
from hilum.errors import BundleInvalid
from hilum.inference.neighbours import Neighbours, unit_rows

N, F, D = 12, 40, 8


def made(*, names: bool = True) -> tuple[Neighbours, np.ndarray]:
    """Neighbours of random slices, and the features they were made of."""
    rng = np.random.default_rng(0)
    features = rng.normal(3, 1, (N, F)).astype(np.float32)
    mean, projection = features.mean(0), rng.normal(0, 1, (F, D)).astype(np.float32)
    return Neighbours(
        mean=mean,
        projection=projection,
        features=unit_rows((features - mean) @ projection),
        sketches=unit_rows(rng.normal(0, 1, (N, SKETCH_SIZE)).astype(np.float32)),
        sha256=np.array([list(hashlib.sha256(bytes([row])).digest()) for row in range(N)], np.uint8),
        labels=np.array(["malignant", "normal"]),
        label_index=(np.arange(N) % 2).astype(np.uint16),
        sources=np.array(["here", "there"]),
        source_index=np.repeat([0, 1], N // 2).astype(np.uint16),
        names=np.array([f"train/é {row}.png" if names else "" for row in range(N)]),
    ), features


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    made()[0].save(tmp_path / "neighbours.npz")
    return tmp_path / "neighbours.npz"


def test_a_training_slice_is_its_own_nearest_after_a_round_trip(saved: Path) -> None:
    _, features = made()
    loaded = Neighbours.load(saved)
    assert len(loaded) == N
    assert loaded.n_features == F
    for row in range(N):
        first, *others = loaded.nearest(features[row], 4)
        assert first.name == f"train/é {row}.png"
        assert first.class_name == ("malignant", "normal")[row % 2]
        assert first.source == ("here" if row < 6 else "there")
        assert first.similarity == pytest.approx(1, abs=2e-3)
        similarities = [one.similarity for one in (first, *others)]
        assert similarities == sorted(similarities, reverse=True)


def test_no_more_are_named_than_there_are(saved: Path) -> None:
    _, features = made()
    loaded = Neighbours.load(saved)
    assert len(loaded.nearest(features[0], 20)) == N
    assert loaded.nearest(features[0], 0) == ()


def test_names_can_be_left_out(tmp_path: Path) -> None:
    anonymous, features = made(names=False)
    anonymous.save(tmp_path / "neighbours.npz")
    assert Neighbours.load(tmp_path / "neighbours.npz").nearest(features[0], 1)[0].name is None


def test_a_file_is_recognised_by_its_bytes_and_a_slice_by_its_sketch(saved: Path) -> None:
    loaded = Neighbours.load(saved)
    known, unknown = hashlib.sha256(bytes([3])).hexdigest(), hashlib.sha256(b"other").hexdigest()
    assert loaded.identity(known) == "same-file"
    assert loaded.identity(unknown) is None
    assert loaded.identity(unknown, loaded.sketches[5]) == "same-slice"
    assert loaded.identity(known, loaded.sketches[5]) == "same-file"
    other = unit_rows(loaded.sketches[5] + 0.2 * unit_rows(np.ones(SKETCH_SIZE, np.float32)))
    assert loaded.identity(unknown, other) is None
    assert loaded.identity(unknown, np.zeros(SKETCH_SIZE, np.float32)) is None


def test_nothing_in_the_file_is_the_size_of_a_picture(saved: Path) -> None:
    with np.load(saved, allow_pickle=False) as archive:
        per_slice = {name: archive[name][0].size for name in archive if len(archive[name]) == N}
    assert max(per_slice.values()) <= 128
    assert all(archive.dtype != np.object_ for archive in np.load(saved).values())


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"features": np.zeros((N, D + 1), np.float16)}, "features has the shape"),
        ({"features": np.zeros((N - 1, D), np.float16)}, "features has the shape"),
        ({"projection": np.zeros((F + 1, D), np.float16)}, "mean has the shape"),
        ({"projection": np.zeros(F, np.float16)}, "projection is an array of 1 dimensions"),
        ({"mean": np.float16(1)}, "mean is an array of 0 dimensions"),
        ({"mean": np.full(F, np.nan, np.float16)}, "no numbers"),
        ({"sketches": np.zeros((N, 5), np.float16)}, "sketches has the shape"),
        ({"sha256": np.zeros((N, 32), np.uint16)}, "it has no hashes"),
        ({"label_index": np.full(N, 2, np.uint16)}, "points beyond labels"),
        ({"label_index": np.full(N, -1, np.int16)}, "label_index is an array of 1 dimensions of int16"),
        ({"source_index": np.full(N, 9, np.uint16)}, "points beyond sources"),
        ({"names": np.zeros(N)}, "names is an array"),
        ({"names": np.array([None] * N)}, "cannot be read"),
        ({"sha256": np.uint8(1)}, "damaged"),
    ],
)
def test_arrays_that_do_not_fit_together_are_refused(saved: Path, change: dict[str, np.ndarray], words: str) -> None:
    with np.load(saved) as archive:
        arrays = dict(archive)
    np.savez_compressed(saved, allow_pickle=True, **(arrays | change))
    with pytest.raises(BundleInvalid, match=words):
        Neighbours.load(saved)


def test_a_missing_array_is_named(saved: Path) -> None:
    with np.load(saved) as archive:
        arrays = {name: archive[name] for name in archive if name != "sketches"}
    np.savez_compressed(saved, **arrays)
    with pytest.raises(BundleInvalid, match="sketches"):
        Neighbours.load(saved)


@pytest.mark.parametrize("keep", [0, 10, 400, -1, -30])
def test_a_file_cut_short_is_refused(saved: Path, keep: int) -> None:
    saved.write_bytes(saved.read_bytes()[:keep])
    with pytest.raises(BundleInvalid, match=r"neighbours\.npz"):
        Neighbours.load(saved)


def test_a_changed_byte_is_refused(saved: Path) -> None:
    data = bytearray(saved.read_bytes())
    data[len(data) // 2] ^= 0xFF
    saved.write_bytes(data)
    with pytest.raises(BundleInvalid, match=r"neighbours\.npz"):
        Neighbours.load(saved)


def test_a_pickle_is_never_opened(tmp_path: Path) -> None:
    path = tmp_path / "neighbours.npz"
    np.save(path.with_suffix(".npy"), np.array([print]), allow_pickle=True)
    path.with_suffix(".npy").rename(path)
    with pytest.raises(BundleInvalid):
        Neighbours.load(path)


def test_an_archive_that_unpacks_to_too_much_is_refused(saved: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hilum.inference.neighbours._LARGEST_BYTES", 100)
    with pytest.raises(BundleInvalid, match="unpacks to"):
        Neighbours.load(saved)


def test_rows_of_zeros_are_like_nothing() -> None:
    neighbours, _ = made()
    empty = replace(neighbours, features=np.zeros((N, D), np.float32))
    assert {one.similarity for one in empty.nearest(np.ones(F, np.float32), 3)} == {0.0}
