"""Names promise a format only where their extension is well known."""

from __future__ import annotations

import pytest

from hilum.imaging.formats import is_extension_mismatch


@pytest.mark.parametrize(
    ("name", "is_mismatch"),
    [
        ("a.png", False),
        ("A.PNG", False),
        ("a.jpg", True),
        ("a.dcm", True),
        ("a.gif", True),
        ("a.png.html", True),
        ("1.2.840.113619.5", False),
        ("noextension", False),
        ("", False),
        (None, False),
        ("a.", False),
    ],
)
def test_extension_of_a_png(name: str | None, is_mismatch: bool) -> None:
    assert is_extension_mismatch(name, "png") is is_mismatch
