"""A folder or zip, arranged as people arrange them, becomes a manifest; what is wrong with it is said."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from dataset_samples import WriteImages, draw_distinct, encode, zip_folder

from hilum.dataset.importer import import_dataset
from hilum.dataset.manifest import DatasetManifest
from hilum.errors import (
    ArchiveNoUsableImages,
    DatasetClassCollision,
    DatasetEmpty,
    DatasetGroupsInvalid,
    DatasetManifestInvalid,
    DatasetNotFound,
    UnsupportedMediaType,
)
from hilum.imaging.decode import Limits
from unreadable_files import refuse_to_read


def rows(manifest: DatasetManifest) -> list[tuple[str, str]]:
    return [(r.split, r.class_name) for r in manifest.records]


@pytest.mark.parametrize("wrapper", ["", "Data/", "archive/Data/"])
def test_reads_splits_and_classes_also_below_wrapping_folders(write_images: WriteImages, wrapper: str) -> None:
    root = write_images(f"{wrapper}{p}/a.png" for p in ("Training/Normal", "val/normal", "test/large.cell.carcinoma"))
    manifest = import_dataset(root)
    assert sorted(rows(manifest)) == [("test", "large_cell_carcinoma"), ("train", "normal"), ("valid", "normal")]
    assert manifest.class_names == ("large_cell_carcinoma", "normal")
    assert manifest.class_counts()["test"] == {"large_cell_carcinoma": 1, "normal": 0}
    assert manifest.source == "slices"
    assert manifest.rejected == ()


def test_reads_classes_alone_with_folders_inside_them(write_images: WriteImages) -> None:
    manifest = import_dataset(write_images(["normal/patient 1/a.png", "normal/b.png", "benign/c.png"]))
    assert rows(manifest) == [("", "benign"), ("", "normal"), ("", "normal")]


def test_a_single_class_folder_is_a_class(write_images: WriteImages) -> None:
    assert rows(import_dataset(write_images(["normal/a.png", "normal/b.png"]))) == [("", "normal")] * 2


def test_records_describe_the_files(write_images: WriteImages) -> None:
    root = write_images(["normal/a.png"])
    data = encode(draw_distinct(0))
    (record,) = import_dataset(root, source_name="clinic").records
    assert (record.path, record.source, record.size_bytes) == ("normal/a.png", "clinic", len(data))
    assert (record.width, record.height, record.mode, record.file_format) == (128, 128, "L", "png")
    assert len(record.sha256) == 64


def test_a_file_that_cannot_be_read_is_listed_and_stops_nothing(
    write_images: WriteImages, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = write_images(["normal/a.png", "normal/b.png", "benign/c.png"])
    refuse_to_read(monkeypatch, "b.png")
    manifest = import_dataset(root)
    assert len(manifest.records) == 2
    assert [(file.path, file.code) for file in manifest.rejected] == [("normal/b.png", "input-rejected")]
    assert "Permission denied" in manifest.rejected[0].detail


def test_a_file_whose_name_is_no_text_is_listed_and_stops_nothing(write_images: WriteImages, tmp_path: Path) -> None:
    root = write_images(["normal/a.png", "benign/c.png"])
    (root / "normal" / os.fsdecode(b"b\xff.png")).write_bytes((root / "normal/a.png").read_bytes())
    (root / os.fsdecode(b"stray\xff.txt")).write_bytes(b"")
    import_dataset(root).save(tmp_path / "manifest.json")
    manifest = DatasetManifest.load(tmp_path / "manifest.json")
    assert len(manifest.records) == 2
    assert [file.path for file in manifest.rejected] == ["normal/b\\udcff.png", "stray\\udcff.txt"]
    assert "rename it" in manifest.rejected[0].detail


def test_format_goes_by_content_and_a_wrong_extension_is_said(write_images: WriteImages) -> None:
    root = write_images(["normal/a.png"])
    (root / "normal/b.png").write_bytes(encode(draw_distinct(7), ".jpg"))
    _, record = import_dataset(root).records
    assert record.file_format == "jpeg"
    assert "extension-mismatch" in record.warnings


def test_unusable_files_are_listed_and_stop_nothing(write_images: WriteImages) -> None:
    root = write_images(["normal/a.png", "normal/b.png"])
    (root / "normal/notes.txt").write_text("hello")
    (root / "normal/empty.png").write_bytes(b"")
    (root / "normal/cut.png").write_bytes(encode(draw_distinct(3))[:400])
    (root / "normal/large.png").write_bytes(b"\x89PNG" + bytes(60_000))
    (root / "readme.md").write_text("hello")
    (root / "normal/.DS_Store").write_text("junk")
    (root / "__MACOSX/normal").mkdir(parents=True)
    (root / "__MACOSX/normal/._a.png").write_text("junk")
    manifest = import_dataset(root, limits=Limits(file_bytes=50_000))
    assert len(manifest.records) == 2
    assert {file.path: file.code for file in manifest.rejected} == {
        "normal/cut.png": "image-truncated",
        "normal/empty.png": "empty-file",
        "normal/large.png": "image-too-large",
        "normal/notes.txt": "unsupported-media-type",
        "readme.md": "outside-class-folders",
    }


def test_two_folders_with_one_class_name_are_refused(write_images: WriteImages) -> None:
    root = write_images(["train/large cell/a.png", "train/large.cell/b.png"])
    with pytest.raises(DatasetClassCollision, match=r"'train/large cell' and 'train/large.cell'.*train split"):
        import_dataset(root)


def test_what_holds_no_images_is_refused_with_the_layouts(tmp_path: Path) -> None:
    (tmp_path / "empty/normal").mkdir(parents=True)
    with pytest.raises(DatasetEmpty, match="train/<class>/"):
        import_dataset(tmp_path / "empty")
    (tmp_path / "empty/normal/a.png").write_text("no image")
    with pytest.raises(DatasetEmpty, match="1 files were refused"):
        import_dataset(tmp_path / "empty")
    with pytest.raises(ArchiveNoUsableImages):
        import_dataset(zip_folder(tmp_path / "empty", tmp_path / "empty.zip"))
    with pytest.raises(DatasetNotFound):
        import_dataset(tmp_path / "nowhere")
    (tmp_path / "data.tar.gz").write_bytes(b"\x1f\x8b" + bytes(100))
    with pytest.raises(UnsupportedMediaType, match="no zip"):
        import_dataset(tmp_path / "data.tar.gz")


def test_zip_gives_what_the_folder_gives(write_images: WriteImages, tmp_path: Path) -> None:
    root = write_images(["Data/train/normal/a.png", "Data/test/normal/b.png"])
    archive = zip_folder(root, tmp_path / "slices.zip")
    manifest = import_dataset(archive)
    assert manifest.records == import_dataset(root).records
    assert manifest.digest == import_dataset(root).digest
    assert manifest.root.parent == tmp_path
    assert import_dataset(archive, extract_within=tmp_path / "here").root.parent == tmp_path / "here"
    assert all(manifest.path_of(record).is_file() for record in manifest.records)


def test_progress_counts_every_file(write_images: WriteImages) -> None:
    seen: list[tuple[int, int]] = []
    import_dataset(write_images(["normal/a.png", "normal/b.png"]), progress=lambda *done: seen.append(done))
    assert seen == [(1, 2), (2, 2)]


def test_conflicting_labels_are_reported_and_not_trained_on(write_images: WriteImages) -> None:
    root = write_images(["train/normal/a.png", "train/normal/b.png", "train/cancer/c.png", "test/normal/d.png"])
    (root / "train/cancer/same.png").write_bytes((root / "train/normal/a.png").read_bytes())
    (root / "train/normal/b again.png").write_bytes((root / "train/normal/b.png").read_bytes())
    (root / "test/normal/b leaked.png").write_bytes((root / "train/normal/b.png").read_bytes())
    manifest = import_dataset(root)
    (conflict,) = manifest.conflicts
    assert conflict.class_names == ("cancer", "normal")
    assert conflict.paths == ("train/cancer/same.png", "train/normal/a.png")
    assert [r.path for r in manifest.trainable_records(["train"])] == ["train/cancer/c.png", "train/normal/b again.png"]
    assert len(manifest.trainable_records()) == 3
    assert len(manifest.of_split("test")) == 2


def test_manifest_survives_the_disk_and_its_digest_a_move(write_images: WriteImages, tmp_path: Path) -> None:
    root = write_images(["train/normal/a.png", "test/cancer/b.png"])
    manifest = import_dataset(root)
    manifest.save(tmp_path / "manifest.json")
    assert DatasetManifest.load(tmp_path / "manifest.json") == manifest

    moved = import_dataset(root.rename(tmp_path / "moved"))
    assert moved.digest == manifest.digest
    (moved.root / "train/normal/a.png").rename(moved.root / "test/cancer/a.png")
    assert import_dataset(moved.root).digest != manifest.digest


def test_what_is_no_manifest_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "manifest.json"
    for content in (b"", b"\xff", b'{"schema_version": 2}'):
        path.write_bytes(content)
        with pytest.raises(DatasetManifestInvalid, match="import the data set again"):
            DatasetManifest.load(path)
    with pytest.raises(DatasetManifestInvalid):
        DatasetManifest.load(tmp_path / "absent.json")


def test_groups_file_wins(write_images: WriteImages) -> None:
    root = write_images(["normal/a.png", "normal/b.png", "normal/c.png"])
    (root / "groups.csv").write_text("path,group\nnormal/a.png,patient 1\nnormal/b.png,patient 1\n")
    manifest = import_dataset(root)
    a, b, c = manifest.records
    assert (a.group, b.group) == ("patient 1", "patient 1")
    assert c.group == c.sha256[:16]
    assert manifest.rejected == ()


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("path,group\nnormal/z.png,1\n", "not in the data set"),
        ("path,group\nnormal/a.png,1\nnormal/a.png,2\n", "in '1' and in '2'"),
        ("file,patient\nnormal/a.png,1\n", "needs a path and a group"),
        ("path,group\nnormal/a.png\n", "needs a path and a group"),
        ("\udcff", "UTF-8"),
    ],
)
def test_wrong_groups_file_is_refused(write_images: WriteImages, text: str, says: str) -> None:
    root = write_images(["normal/a.png"])
    (root / "groups.csv").write_bytes(text.encode(errors="surrogateescape"))
    with pytest.raises(DatasetGroupsInvalid, match=says):
        import_dataset(root)
