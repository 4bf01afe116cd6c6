"""Batches from their files to their results, each image once, whoever scores it how often; on both databases."""

from __future__ import annotations

import hashlib
import io
import uuid
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from canaries import CANARY, CANARY_FILES, canary_dicom
from dicom_files import dicom
from hilum.errors import ArchiveNoUsableImages, ArchiveTooManyFiles, BatchActive, BatchNotFound, DatasetNotFound
from hilum.imaging.decode import CtSlice, decode
from hilum.imaging.phantoms import draw_phantom
from hilum.inference.predictor import Predictor
from hilum.services import batch_packs
from hilum.services.batch_rules import BatchCaps, KeptImage, NewImage
from hilum.services.batch_scoring import ChunkScorer, ModelShelf
from hilum.services.batch_sources import local_images, locate, uploaded_images
from hilum.services.batches import Batches, StoredBatch, StoredResult
from hilum.services.incoming_upload import UploadedPart
from hilum.storage import batches as stored_batches
from hilum.storage import predictions
from hilum.storage.blobs import Blobs, folder_url, open_blobs
from hilum.storage.database import Database
from hilum.storage.schema import upgrade
from raster_files import tiff
from zip_files import pack


def drawn(count: int) -> list[NewImage]:
    """So many different slices."""
    return [NewImage(cv2.imencode(".png", draw_phantom(seed))[1].tobytes(), f"{seed}.png") for seed in range(count)]


class Bench:
    """Batches over an empty state, and what scores them."""

    def __init__(self, url: str, folder: Path, bundle: Path) -> None:
        """Makes the tables."""
        self.database = Database(url)
        upgrade(self.database)
        self.folder = folder
        self.predictor = Predictor.load(bundle)
        self.batches = Batches(self.database, self.open_blobs, find_model=lambda: "tiny-1", is_audited=True)
        self.scorer = self.open_scorer()

    def open_blobs(self, kind: str) -> Blobs:
        """Blobs of a kind."""
        return open_blobs(folder_url(self.folder), kind)

    def open_scorer(self, predictor: Any = None) -> ChunkScorer:
        """Another process, as it were."""
        models = ModelShelf(Path, lambda _: predictor or self.predictor)
        return ChunkScorer(self.database, self.open_blobs, self.open_blobs("slices"), models, decode, threads=2)

    def score(self, batch: StoredBatch, scorer: ChunkScorer | None = None) -> int:
        """Scores every chunk; how many images got their result."""
        return sum((scorer or self.scorer).score(batch.id, number) for number in range(batch.n_chunks))

    def results(self, batch: StoredBatch) -> list[StoredResult]:
        """All results so far."""
        return [one for some in self.batches.all_results(str(batch.id)) for one in some]

    def packs(self) -> list[Path]:
        """Files of packs that lie in the store."""
        return [path for path in (self.folder / "batches").rglob("*") if path.is_file()]


@pytest.fixture
def bench(database_url: str, tmp_path: Path, tiny_bundle: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    """Batches in chunks of four images."""
    monkeypatch.setattr(batch_packs, "CHUNK_IMAGES", 4)
    made = Bench(database_url, tmp_path / "blobs", tiny_bundle)
    with closing(made.batches), closing(made.scorer):
        yield made


class Dying:
    """A predictor that ends its process at some images, as far as a test can."""

    def __init__(self, predictor: Predictor, deadly: Sequence[bytes]) -> None:
        """Takes the images."""
        self.manifest = predictor.manifest
        self._predictor = predictor
        self._deadly = deadly

    def predict(self, data: bytes, **others: Any) -> Any:
        """Predicts, or dies."""
        if data in self._deadly:
            raise KeyboardInterrupt
        return self._predictor.predict(data, **others)


def test_every_image_gets_its_result_in_its_order(bench: Bench) -> None:
    images = [*drawn(9), NewImage(b"no image"), *drawn(1)]
    batch = bench.batches.add(images, note="für später")
    assert (batch.status, batch.n_items, batch.n_chunks, batch.note) == ("queued", 11, 3, "für später")
    assert len(bench.packs()) == 3
    assert bench.score(batch) == 11

    ended = bench.batches.find(str(batch.id))
    assert (ended.status, ended.n_answered, ended.n_refused) == ("done", 10, 1)
    assert ended.ended_at is not None
    results = bench.results(batch)
    assert [one.item_index for one in results] == list(range(11))
    assert [one.image_sha256 for one in results] == [hashlib.sha256(image.data).hexdigest() for image in images]
    assert (results[9].status, results[9].answer["code"]) == (415, "unsupported-media-type")
    alone = bench.predictor.predict(images[3].data)
    assert results[3].answer["probabilities"] == pytest.approx(alone.probabilities)
    assert results[0].answer == results[10].answer
    assert bench.packs() == []


def test_what_is_scored_again_counts_once(bench: Bench) -> None:
    batch = bench.batches.add(drawn(8))
    with closing(bench.open_scorer()) as other, ThreadPoolExecutor(4) as pool:
        counts = list(pool.map(lambda scorer: bench.score(batch, scorer), [bench.scorer, other] * 2))
    assert sum(counts) == 8
    ended = bench.batches.find(str(batch.id))
    assert (ended.status, ended.n_answered, ended.n_chunks_done) == ("done", 8, 2)
    assert bench.score(batch) == 0


def test_a_file_whose_ending_lies_is_warned_of_as_alone(bench: Bench) -> None:
    (image,) = drawn(1)
    batch = bench.batches.add([NewImage(image.data, "scan.jpg"), NewImage(image.data, "scan.a name that is long")])
    bench.score(batch)
    first, second = bench.results(batch)
    assert "extension-mismatch" in first.answer["warnings"]
    assert "extension-mismatch" not in second.answer["warnings"]


def test_an_image_that_ends_its_process_each_time_is_refused_and_the_others_answered(bench: Bench) -> None:
    images = drawn(4)
    batch = bench.batches.add(images)
    deaths = 0
    with closing(bench.open_scorer(Dying(bench.predictor, [images[0].data, images[2].data]))) as dying:
        while bench.batches.find(str(batch.id)).status != "done":
            try:
                bench.score(batch, dying)
            except KeyboardInterrupt:
                deaths += 1
                assert deaths < 20
    results = bench.results(batch)
    assert [one.status for one in results] == [422, 200, 422, 200]
    assert {one.answer["code"] for one in results if one.status == 422} == {"batch-item-failed"}
    assert bench.batches.find(str(batch.id)).n_answered == 2


def test_a_fault_in_scoring_is_the_images_problem(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any, **__: Any) -> Any:
        raise ZeroDivisionError

    monkeypatch.setattr(bench.predictor, "predict", fail)
    batch = bench.batches.add(drawn(2))
    bench.score(batch)
    assert [one.answer["code"] for one in bench.results(batch)] == ["batch-item-failed"] * 2


def test_images_that_were_sent_before_are_scored_from_what_is_kept(bench: Bench) -> None:
    (image,) = drawn(1)
    sha256 = "a" * 64
    kept = bench.open_blobs("slices").put(image.data)
    with bench.database.writing() as connection:
        predictions.add_provenance(connection, "p" * 64, {})
        row = predictions.StoredPrediction(
            uuid.uuid4(), datetime.now(UTC), sha256, True, "normal", "review", "tiny-1", 1.0, {}, "p" * 64, kept
        )
        predictions.add(connection, [row])
    batch = bench.batches.add([KeptImage(sha256), image, KeptImage("b" * 64)])
    bench.score(batch)
    named, sent, unknown = bench.results(batch)
    assert (named.image_sha256, named.answer) == (sha256, sent.answer)
    assert (unknown.status, unknown.answer["code"]) == (410, "image-not-kept")


def test_a_batch_that_is_cancelled_gets_no_further_result(bench: Bench) -> None:
    batch = bench.batches.add(drawn(8))
    bench.scorer.score(batch.id, 0)
    assert bench.batches.cancel(str(batch.id)).status == "cancelled"
    assert bench.score(batch) == 0
    assert len(bench.results(batch)) == 4
    assert bench.packs() == []
    assert bench.batches.cancel(str(batch.id)).n_answered == 4


def test_a_model_that_cannot_be_loaded_fails_the_batch_with_the_reason(bench: Bench) -> None:
    batch = bench.batches.add(drawn(2), model_version="gone-1")
    models = ModelShelf(lambda version: Path("nowhere") / version, Predictor.load)
    scorer = ChunkScorer(bench.database, bench.open_blobs, bench.open_blobs("slices"), models, decode)
    with closing(scorer):
        assert bench.score(batch, scorer) == 0
    ended = bench.batches.find(str(batch.id))
    assert ended.status == "failed"
    assert "gone-1" in str(ended.failure)


def test_lost_bytes_are_the_images_problem(bench: Bench) -> None:
    batch = bench.batches.add(drawn(2))
    for path in bench.packs():
        path.unlink()
    bench.score(batch)
    assert [one.answer["code"] for one in bench.results(batch)] == ["image-not-kept"] * 2


def test_a_batch_that_is_refused_leaves_nothing_behind(bench: Bench) -> None:
    def broken() -> Iterator[NewImage]:
        yield from drawn(5)
        raise ArchiveTooManyFiles("too many")

    for images, error in ((broken(), ArchiveTooManyFiles), (iter(()), ArchiveNoUsableImages)):
        with pytest.raises(error):
            bench.batches.add(images)
    assert bench.batches.page() == []
    assert bench.packs() == []


def test_batches_are_deleted_by_hand_and_by_age_but_not_while_active(bench: Bench) -> None:
    first, second, active = (bench.batches.add(drawn(1)) for _ in range(3))
    for batch in (first, second):
        bench.score(batch)
    with pytest.raises(BatchActive):
        bench.batches.remove(str(active.id))
    bench.batches.remove(str(first.id))
    with pytest.raises(BatchNotFound):
        bench.batches.find(str(first.id))
    assert bench.batches.delete_old(30) == 0
    assert bench.batches.delete_old(30, datetime.now(UTC) + timedelta(days=31)) == 1
    assert [one.id for one in bench.batches.page()] == [active.id]


def test_what_was_broken_off_while_it_was_received_goes_with_its_bytes(bench: Bench) -> None:
    whole = bench.batches.add(drawn(1))
    long_ago = datetime.now(UTC) - timedelta(days=2)
    half = stored_batches.StoredBatch(uuid.uuid4(), "receiving", "", "open", "tiny-1", long_ago)
    with bench.database.writing() as connection:
        stored_batches.add(connection, half)
    bench.open_blobs(batch_packs.kind_of(half.id)).put(b"half")
    assert bench.batches.page() == [whole]
    assert bench.batches.delete_old(0) == 1
    assert [path.parent.parent.name for path in bench.packs()] == [str(whole.id)]


def _as_sent(data: bytes, **_: object) -> CtSlice:
    """Decodes nothing and keeps all."""
    return CtSlice(np.zeros((1, 1), np.uint8), "png", "L", pixel_file=data)


def test_nothing_of_a_file_that_names_a_person_is_put_on_disk(bench: Bench) -> None:
    burned_in = canary_dicom({0x00280301: ("CS", "YES")})
    files = [*(make() for make in CANARY_FILES.values()), burned_in]
    assert all(CANARY[:9].encode() in data for data in files)
    batch = bench.batches.add([NewImage(data, f"{CANARY}.png") for data in files])
    assert bench.packs()
    held = [path for path in bench.folder.rglob("*") if path.is_file() and CANARY[:9].encode() in path.read_bytes()]
    assert held == []
    bench.score(batch)
    results = bench.results(batch)
    assert (results[-1].status, results[-1].answer["code"]) == (422, "batch-item-failed")
    assert CANARY[:9] not in str([result.answer for result in results])


def test_what_waits_is_answered_as_the_file_itself(bench: Bench) -> None:
    files = [dicom(), tiff(), *(image.data for image in drawn(1))]
    batch = bench.batches.add([NewImage(data, "a.png") for data in files])
    bench.score(batch)
    for data, result in zip(files, bench.results(batch), strict=True):
        alone = bench.predictor.predict(data, name="a.png")
        assert result.answer == alone.to_dict()
        assert result.image_sha256 == alone.image_sha256


def test_a_large_file_gets_a_chunk_of_its_own(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(batch_packs, "CHUNK_BYTES", 100)
    packs = open_blobs(folder_url(tmp_path), "batches/x")
    images = [NewImage(bytes(60)), NewImage(bytes(60)), NewImage(bytes(500)), NewImage(b"x"), NewImage(b"y")]
    chunks = list(batch_packs.chunks_of(images, uuid.UUID(int=1), packs, _as_sent))
    assert [len(chunk.items) for chunk in chunks] == [1, 1, 1, 2]
    assert [chunk.first_index for chunk in chunks] == [0, 1, 2, 3]
    last = chunks[-1]
    assert last.pack_sha256 is not None
    assert batch_packs.unpack(last, packs.get(last.pack_sha256)) == [b"x", b"y"]


def _part(data: bytes) -> UploadedPart:
    return UploadedPart(lambda: io.BytesIO(data), len(data))


def test_zips_are_unpacked_in_their_place_and_counted() -> None:
    parts = [_part(b"one"), _part(pack(("a/2.png", b"two"), ("__MACOSX/x", b"-"), ("3.dcm", b"three"))), _part(b"four")]
    assert list(uploaded_images(parts, BatchCaps())) == [
        NewImage(b"one"), NewImage(b"two", "a/2.png"), NewImage(b"three", "3.dcm"), NewImage(b"four"),
    ]  # fmt: skip
    with pytest.raises(ArchiveTooManyFiles):
        list(uploaded_images(parts, BatchCaps(files=3)))


def test_folders_zips_files_and_lists_are_read_in_order(tmp_path: Path) -> None:
    (tmp_path / "in" / "b").mkdir(parents=True)
    for name in ("in/b/2.png", "in/1.png", "in/.DS_Store", "other.png"):
        (tmp_path / name).write_bytes(name.encode())
    (tmp_path / "z.zip").write_bytes(pack(("inner.png", b"zipped")))
    listing = tmp_path / "list.txt"
    listing.write_text(f"other.png\n\nsha256:{'c' * 64}\n{'d' * 64}\n")
    names: list[str] = []
    images = list(local_images(locate([tmp_path / "in", tmp_path / "z.zip", listing]), names.append))
    assert images == [
        NewImage(b"in/1.png", "1.png"), NewImage(b"in/b/2.png", "2.png"), NewImage(b"zipped", "inner.png"),
        NewImage(b"other.png", "other.png"), KeptImage("c" * 64), KeptImage("d" * 64),
    ]  # fmt: skip
    assert [name.rpartition("/")[2] for name in names[:4]] == ["1.png", "2.png", "inner.png", "other.png"]
    listing.write_text("gone.png\n")
    with pytest.raises(DatasetNotFound, match=r"gone\.png"):
        list(local_images(locate([listing]), names.append))
    with pytest.raises(DatasetNotFound, match="nowhere"):
        list(locate([tmp_path / "nowhere"]))
