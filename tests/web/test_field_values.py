"""Values with parameters are read in one way or not at all."""

from __future__ import annotations

import pytest

from hilum.web.field_values import kind_and_parameters


@pytest.mark.parametrize(
    ("value", "kind", "parameters"),
    [
        ("form-data", "form-data", {}),
        (' Form-Data ; Name=file; filename="a b.png"; ', "form-data", {"name": "file", "filename": "a b.png"}),
        (r'form-data; filename="a\"b\\c\d.png"', "form-data", {"filename": r'a"b\c\d.png'}),
        ('form-data; filename=""', "form-data", {"filename": ""}),
        ("multipart/form-data; boundary=----=_Part/1", "multipart/form-data", {"boundary": "----=_Part/1"}),
        ("form-data; filename*=UTF-8''a", "form-data", {"filename*": "UTF-8''a"}),
    ],
)
def test_what_is_plain_is_read(value: str, kind: str, parameters: dict[str, str]) -> None:
    assert kind_and_parameters(value) == (kind, parameters)


@pytest.mark.parametrize(
    "value",
    [
        "",
        ";name=a",
        'form-data; name="a',
        'form-data; name="a"b"',
        'form-data; name="a" b',
        "form-data; name",
        "form-data; name=",
        'form-data; name="a\nb"',
        'form-data; name="a"; NAME="b"',
        'form-data; name="a\\',
    ],
)
def test_what_two_readers_may_read_differently_is_refused(value: str) -> None:
    with pytest.raises(ValueError, match=r"word|malformed|twice"):
        kind_and_parameters(value)
