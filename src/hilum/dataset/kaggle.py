"""Fetches a data set that Kaggle publishes, through kagglehub. Knows handles, nothing of what is in them."""

from __future__ import annotations

import re
from pathlib import Path

from hilum.errors import DatasetInvalid, DatasetSourceUnavailable

PREFIX = "kaggle:"
_HANDLE = re.compile(r"[\w-]+/[\w-]+(/versions/\d+)?", re.ASCII)


def is_kaggle_handle(source: str) -> bool:
    """Whether a source as the user gave it names a Kaggle data set and not a path."""
    return source.startswith(PREFIX)


def download(handle: str) -> Path:
    """Downloads a data set, or finds it in kagglehub's cache.

    Args:
        handle: `kaggle:owner/name`, also with `/versions/<n>`; the prefix may be left out.

    Returns:
        The folder it lies in, to be given to `import_dataset`.

    Raises:
        DatasetInvalid: the handle is not of that form.
        DatasetSourceUnavailable: kagglehub is not installed, or Kaggle did not deliver.
    """
    name = handle.removeprefix(PREFIX)
    if not _HANDLE.fullmatch(name):
        raise DatasetInvalid(f"{handle!r} is no Kaggle data set; write it as kaggle:owner/name.")
    try:
        import kagglehub
    except ImportError as error:
        raise DatasetSourceUnavailable(
            "Fetching from Kaggle needs the package kagglehub: run `make install-train` in hilum's checkout; "
            "or download the data set as a zip and give its path."
        ) from error
    try:
        return Path(kagglehub.dataset_download(name))
    except Exception as error:  # kagglehub documents no errors; those of its HTTP client come through as they are
        raise DatasetSourceUnavailable(
            f"Kaggle did not deliver {name!r} ({type(error).__name__}: {error}). Check the handle, the connection and, "
            "for a data set that is not public, the token; or download it as a zip and give its path."
        ) from error
