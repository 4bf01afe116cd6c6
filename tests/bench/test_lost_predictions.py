"""Predictions that were told to be stored are looked for on every page of the history."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from bench import cluster

PAGES = {"": (["a", "b"], "2 &"), "2 &": (["c"], None)}


def test_what_no_page_has_is_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    def answer(topology: Any, method: str, path: str, expected: int) -> bytes:
        asked = parse_qs(urlsplit(path).query)
        ids, after = PAGES[asked.get("cursor", [""])[0]]
        return json.dumps({"items": [{"id": one} for one in ids], "next": after}).encode()

    monkeypatch.setattr(cluster, "ask", answer)
    topology: Any = None
    assert cluster._lost(topology, ["c", "x", "a", "y"]) == ["x", "y"]
    assert cluster._lost(topology, ["c", "b"]) == []
