"""Bytes kept under their sha256, in a folder or in S3, Google Cloud Storage or Azure. Knows no table."""

from __future__ import annotations

import hashlib
import os
import re
import secrets
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import obstore
from obstore.exceptions import BaseError
from obstore.store import LocalStore, ObjectStore, from_url

from hilum.errors import BlobCorrupt, BlobMissing, BlobStoreUnavailable, BlobStoreUnsupported, DiskFull
from hilum.storage.fullness import is_about_room

if TYPE_CHECKING:
    from obstore import ObjectMeta

_SCHEMES = ("s3://", "gs://", "az://", "abfs://", "abfss://")
_FOLDER = "file://"
_TIMEOUT = timedelta(seconds=10)
_DIGEST = re.compile(r"[0-9a-f]{64}")
_ASIDE, _TRIAL = "aside", "trial/bytes"
_ASIDE_NAME = re.compile(r"([0-9a-f]{64})-([0-9]{1,12})-[0-9a-f]{16}")


@dataclass(frozen=True)
class BlobEntry:
    """A blob in a listing.

    Attributes:
        digest: sha256 of its bytes, by its name.
        size: in bytes.
        changed_at: when it was last put.
    """

    digest: str
    size: int
    changed_at: datetime


@dataclass(frozen=True)
class SetAside:
    """A blob that waits to be deleted.

    Attributes:
        digest: sha256 of its bytes, by its name.
        since: when it was set aside, to the second.
        path: in the store, its own: a second one of these bytes has another.
    """

    digest: str
    since: datetime
    path: str


class Blobs:
    """One kind of bytes in a store. Safe to use from several threads and processes.

    Attributes:
        kind: its name in the store.
        folder: where the bytes lie; None where they lie in an object store.
    """

    def __init__(self, store: ObjectStore, kind: str, folder: Path | None = None) -> None:
        """Takes a store; `open_blobs` is the usual way in."""
        self._store = store
        self.kind = kind
        self.folder = folder

    def put(self, data: bytes) -> str:
        """Keeps bytes. A reader never sees a part of them, whatever stops the writer; put again, they are renewed.

        Returns:
            Their sha256 in hex, under which they are found.

        Raises:
            BlobStoreUnavailable: they could not be kept.
            DiskFull: there is no room for them.
        """
        digest = hashlib.sha256(data).hexdigest()
        self.put_as(digest, data)
        return digest

    def put_as(self, digest: str, data: bytes) -> None:
        """Keeps bytes whose sha256 the caller has computed already.

        Raises:
            BlobStoreUnavailable: they could not be kept.
            DiskFull: there is no room for them.
        """
        path = self._path(digest)
        if self.folder is not None and _is_renewed(self.folder / path, data):
            return
        self._put(path, data)

    def try_out(self) -> None:
        """Puts a few bytes that mean nothing, to learn whether others could be put.

        Raises:
            BlobStoreUnavailable: they could not be kept.
            DiskFull: there is no room for them.
        """
        self._put(_TRIAL, b"hilum can write here\n")
        with suppress(BlobStoreUnavailable):  # a store may let nobody delete
            self._delete(_TRIAL)

    def require_there(self) -> None:
        """Returns where the store is there and can be listed; nothing is written.

        Raises:
            BlobStoreUnavailable: it is not, or does not answer.
        """
        if self.folder is not None and not self.folder.is_dir():
            raise BlobStoreUnavailable("the folder for images is not there")
        next(self._list(_TRIAL), None)

    def _put(self, path: str, data: bytes) -> None:
        try:
            obstore.put(self._store, path, data, use_multipart=False)
        except FileNotFoundError as error:
            raise BlobStoreUnavailable("the bytes could not be kept: there is no such bucket or folder") from error
        except (BaseError, OSError, ValueError) as error:
            kind = DiskFull if is_about_room(error) else BlobStoreUnavailable
            raise kind(f"the bytes could not be kept: {_reason(error)}") from error

    def get(self, digest: str) -> bytes:
        """Finds bytes, those set aside too, and checks that they are what was kept.

        Raises:
            BlobMissing: there are none.
            BlobCorrupt: they are not what was kept.
            BlobStoreUnavailable: the store does not answer.
        """
        data = next((data for path in self._places(digest) if (data := self._read(path)) is not None), None)
        if data is None:
            raise BlobMissing(f"no bytes are kept under {digest}")
        if hashlib.sha256(data).hexdigest() != digest:
            raise BlobCorrupt(f"the bytes kept under {digest} are damaged; restore them from a backup")
        return data

    def delete(self, digest: str) -> None:
        """Deletes bytes; where there are none, nothing happens.

        Raises:
            BlobStoreUnavailable: the store does not answer.
        """
        self._delete(self._path(digest))

    def entries(self) -> Iterator[BlobEntry]:
        """Every blob of this kind, in no order.

        Raises:
            BlobStoreUnavailable: the store does not answer.
        """
        for found in self._list(self.kind):
            digest = found["path"].rsplit("/", 1)[-1]
            if _DIGEST.fullmatch(digest):
                yield BlobEntry(digest, found["size"], found["last_modified"])

    def set_aside(self, digest: str, since: datetime) -> None:
        """Takes bytes out of `entries`; `get` still finds them until `delete_aside`. Put again, they are kept twice.

        In a folder one step does it. In an object store they are there twice for a moment, never nowhere.

        Raises:
            BlobStoreUnavailable: the store does not answer.
        """
        name = f"{digest}-{since.timestamp():.0f}-{secrets.token_hex(8)}"
        self._move(self._path(digest), f"{self._aside_folder(digest)}/{name}")

    def aside(self) -> Iterator[SetAside]:
        """Every blob that is set aside, in no order.

        Raises:
            BlobStoreUnavailable: the store does not answer.
        """
        for found in self._list(f"{_ASIDE}/{self.kind}"):
            if named := _ASIDE_NAME.fullmatch(found["path"].rsplit("/", 1)[-1]):
                yield SetAside(named[1], datetime.fromtimestamp(int(named[2]), UTC), found["path"])

    def bring_back(self, one: SetAside) -> None:
        """Puts bytes that are set aside among `entries` again.

        Raises:
            BlobStoreUnavailable: the store does not answer.
        """
        self._move(one.path, self._path(one.digest))

    def delete_aside(self, one: SetAside) -> None:
        """Deletes bytes that are set aside, not those that were put again meanwhile.

        Raises:
            BlobStoreUnavailable: the store does not answer.
        """
        self._delete(one.path)

    def _places(self, digest: str) -> Iterator[str]:
        """Where bytes may lie, each looked up when it is asked for: a sweep may set them aside, or bring them back."""
        yield self._path(digest)
        for found in self._list(self._aside_folder(digest)):
            if found["path"].rsplit("/", 1)[-1].startswith(digest):
                yield found["path"]
        yield self._path(digest)

    def _read(self, path: str) -> bytes | None:
        try:
            return obstore.get(self._store, path).bytes().to_bytes()
        except FileNotFoundError:
            return None
        except (BaseError, OSError, ValueError) as error:
            raise BlobStoreUnavailable(f"the kept bytes cannot be read: {_reason(error)}") from error

    def _list(self, prefix: str) -> Iterator[ObjectMeta]:
        try:
            for some in obstore.list(self._store, prefix=prefix):
                yield from some
        except (BaseError, OSError, ValueError) as error:
            raise BlobStoreUnavailable(f"the kept bytes cannot be listed: {_reason(error)}") from error

    def _move(self, path: str, to: str) -> None:
        """Moves bytes; where another was quicker, nothing happens."""
        try:
            if self.folder is not None:
                obstore.rename(self._store, path, to)
            else:
                obstore.copy(self._store, path, to)
                obstore.delete(self._store, path)
        except FileNotFoundError:
            return
        except (BaseError, OSError, ValueError) as error:
            raise BlobStoreUnavailable(f"the kept bytes cannot be moved: {_reason(error)}") from error

    def _delete(self, path: str) -> None:
        try:
            obstore.delete(self._store, path)
        except FileNotFoundError:
            return
        except (BaseError, OSError, ValueError) as error:
            raise BlobStoreUnavailable(f"the kept bytes cannot be deleted: {_reason(error)}") from error

    def _aside_folder(self, digest: str) -> str:
        return f"{_ASIDE}/{self._path(digest).rpartition('/')[0]}"

    def _path(self, digest: str) -> str:
        if not _DIGEST.fullmatch(digest):
            raise BlobMissing("a blob is named by a sha256 in hex")
        return f"{self.kind}/{digest[:2]}/{digest}"


def open_blobs(url: str, kind: str) -> Blobs:
    """Opens the blobs of one kind.

    Args:
        url: `file:///FOLDER`, or `s3://BUCKET/PREFIX`, `gs://` or `az://` with the provider's usual environment
            variables (`AWS_…`, `GOOGLE_…`, `AZURE_…`) for credentials and endpoint.
        kind: names the kind in the store, such as `slices`.

    Raises:
        BlobStoreUnsupported: the address is none of these.
        BlobStoreUnavailable: the folder cannot be made.
    """
    if url.startswith(_FOLDER):
        folder = Path(url.removeprefix(_FOLDER))
        try:
            folder.mkdir(parents=True, exist_ok=True)
            return Blobs(LocalStore(folder), kind, folder)
        except (BaseError, OSError) as error:
            raise BlobStoreUnavailable(f"the folder for images cannot be used: {_reason(error)}") from error
    if not url.startswith(_SCHEMES):
        raise BlobStoreUnsupported("HILUM_BLOBS_URL takes file://, s3://, gs:// and az:// addresses")
    try:
        store = from_url(
            url,
            client_options={
                "timeout": _TIMEOUT,
                "connect_timeout": _TIMEOUT / 2,
                "allow_http": os.environ.get("AWS_ALLOW_HTTP", "").lower() == "true",  # given options hide the variable
            },
            retry_config={"max_retries": 2, "retry_timeout": _TIMEOUT},
        )
    except (BaseError, OSError, ValueError) as error:
        raise BlobStoreUnsupported(f"HILUM_BLOBS_URL cannot be used: {_reason(error)}") from error
    return Blobs(store, kind)


def folder_url(folder: Path) -> str:
    """The address of blobs in a folder."""
    return f"{_FOLDER}{folder.absolute()}"


def _is_renewed(file: Path, data: bytes) -> bool:
    """Whether a file holds these very bytes already; it then counts as put now.

    To look costs less than to write anew: where one file replaces another, ext4 sends it to the disk at once.
    """
    try:
        if file.stat().st_size != len(data) or file.read_bytes() != data:
            return False
        os.utime(file)
    except OSError:
        return False
    return True


def _reason(error: Exception) -> str:
    words = str(error).strip()
    return words.splitlines()[0][:200] if words else type(error).__name__
