"""The catalogue's rows name tests that exist."""

from __future__ import annotations

from pathlib import Path

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
    sections = {f"H{row:02}" for row in (*range(1, 101), *range(104, 106))}
    assert sections <= set(CATALOGUE) | set(WITHOUT)
