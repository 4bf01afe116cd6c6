"""What an answer came from: the bundle's files, its preprocessing and the software. Knows no database and no HTTP."""

from __future__ import annotations

import hashlib
import json
import platform
from dataclasses import dataclass
from functools import lru_cache
from importlib.metadata import version
from typing import Any

from hilum.imaging.preprocess import Preprocessing
from hilum.inference.manifest import Manifest

_COMPUTING = ("hilum", "numpy", "onnxruntime", "opencv-python-headless", "pillow", "pydicom")
"""The packages whose version can change an answer."""


@dataclass(frozen=True)
class Provenance:
    """What an answer came from.

    Attributes:
        digest: sha256 of `document` in canonical JSON.
        document: `model` (version, sha256 of its manifest and of each file), `preprocessing_sha256`, `versions` of the
            software and `machine`.
    """

    digest: str
    document: dict[str, Any]


def digest_of(document: dict[str, Any]) -> str:
    """Sha256 of a document in canonical JSON (sorted keys, no spaces)."""
    canonical = json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(canonical.encode()).hexdigest()


def preprocessing_digest(preprocessing: Preprocessing) -> str:
    """Names a way of preprocessing."""
    return digest_of(preprocessing.model_dump(mode="json"))


def provenance_of(manifest: Manifest) -> Provenance:
    """What answers where a bundle serves in this process."""
    document = {
        "model": {
            "version": manifest.model_version,
            "manifest_sha256": digest_of(manifest.model_dump(mode="json")),
            "files": dict(sorted(manifest.files.items())),
        },
        "preprocessing_sha256": preprocessing_digest(manifest.preprocessing),
        "versions": dict(software_versions()),
        "machine": platform.machine(),
    }
    return Provenance(digest_of(document), document)


@lru_cache(maxsize=1)
def software_versions() -> tuple[tuple[str, str], ...]:
    """Versions of Python and of the packages that compute an answer."""
    return (("python", platform.python_version()), *((name, version(name)) for name in _COMPUTING))
