"""The catalogue's rows name tests that exist."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
from catalogue import CATALOGUE, WITHOUT

_TESTS = Path(__file__).parents[1]


def test_every_row_names_tests_that_exist() -> None:
    for row, tests in CATALOGUE.items():
        assert tests, row
        for one in tests:
            module, _, name = one.partition("::")
            assert (_TESTS / module).is_file(), (row, one)
            assert f"def {name or 'test_'}" in (_TESTS / module).read_text(), (row, one)


def test_a_row_without_a_test_says_why() -> None:
    assert not set(CATALOGUE) & set(WITHOUT)
    assert all(WITHOUT.values())


def test_every_row_of_the_document_is_here() -> None:
    document = Path(os.environ.get("HILUM_HOSTILE_INPUTS") or _TESTS.parents[1] / "shared" / "hostile-inputs.md")
    if not document.is_file():
        pytest.skip("the document of hostile inputs is neither at HILUM_HOSTILE_INPUTS nor in ../shared")
    asked = re.findall(r"^\| (H\d+) \|", document.read_text(), re.MULTILINE)
    assert len(asked) == len(set(asked)) >= 130
    assert set(asked) == set(CATALOGUE) | set(WITHOUT)
