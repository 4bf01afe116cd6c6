"""Where the reference model lies. Knows folders, not what is in a bundle."""

from __future__ import annotations

from pathlib import Path

from hilum.errors import BundleInvalid


def reference_bundle() -> Path:
    """Finds the bundle that is served when no other is named.

    Returns:
        The checkout's `models/reference`, else the working directory's.

    Raises:
        BundleInvalid: there is none.
    """
    package = Path(__file__).resolve().parent.parent
    candidates = (
        package.parent.parent / "models" / "reference",
        Path.cwd() / "models" / "reference",
    )
    for candidate in candidates:
        if (candidate / "manifest.json").is_file():
            return candidate
    raise BundleInvalid("there is no reference model; train one with `hilum train` and name it with HILUM_MODEL")
