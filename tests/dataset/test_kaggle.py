"""Fetching from Kaggle, up to the boundary: kagglehub is replaced by a stand-in."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from hilum.dataset.kaggle import download, is_kaggle_handle
from hilum.errors import DatasetInvalid, DatasetSourceUnavailable


@pytest.mark.parametrize("handle", ["kaggle:owner/chest-ctscan-images", "owner/chest-ctscan-images"])
def test_downloads_by_handle(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, handle: str) -> None:
    asked: list[str] = []

    def dataset_download(name: str) -> str:
        asked.append(name)
        return str(tmp_path)

    monkeypatch.setitem(sys.modules, "kagglehub", SimpleNamespace(dataset_download=dataset_download))
    assert download(handle) == tmp_path
    assert asked == ["owner/chest-ctscan-images"]


def test_unreachable_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    def dataset_download(name: str) -> str:
        raise ConnectionError("no route to host")

    monkeypatch.setitem(sys.modules, "kagglehub", SimpleNamespace(dataset_download=dataset_download))
    with pytest.raises(DatasetSourceUnavailable, match=r"no route to host.*as a zip"):
        download("kaggle:owner/name")


def test_not_installed_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "kagglehub", None)
    with pytest.raises(DatasetSourceUnavailable, match="make install-train"):
        download("kaggle:owner/name")


@pytest.mark.parametrize("handle", ["kaggle:", "kaggle:name", "kaggle:a/b/c", "kaggle:../x", "kaggle:a/b?c=d"])
def test_what_is_no_handle_is_refused(handle: str) -> None:
    with pytest.raises(DatasetInvalid, match="owner/name"):
        download(handle)


def test_a_path_is_no_handle() -> None:
    assert is_kaggle_handle("kaggle:owner/name")
    assert not is_kaggle_handle("data/slices.zip")
