"""The dashboard and the alert rules ask only for metrics that a hilum instance has."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import yaml

from hilum.errors import BundleInvalid
from hilum.services.model import ServedModel
from hilum.services.prediction import PredictionService
from hilum.web.metrics import Instruments
from hilum.web.standing import Standing

ROOT = Path(__file__).resolve().parents[2]
OTHERS = {"up", "process_cpu_seconds_total", "process_resident_memory_bytes"}
"""Prometheus's own, and those of its client's process collector, which only Linux fills."""


def _rules() -> list[dict[str, Any]]:
    document = yaml.safe_load((ROOT / "deploy" / "prometheus" / "alerts.yml").read_text())
    return [rule for group in document["groups"] for rule in group["rules"]]


def _panels() -> list[dict[str, Any]]:
    panels: list[dict[str, Any]] = json.loads((ROOT / "deploy/grafana/dashboards/hilum.json").read_text())["panels"]
    return panels


def _expressions() -> list[str]:
    shown = [target["expr"] for panel in _panels() for target in panel["targets"]]
    return shown + [rule["expr"] for rule in _rules()]


def _no_model() -> ServedModel:
    raise BundleInvalid("there is none")


def _labels() -> dict[str, set[str]]:
    """Names of every series, with the labels that ours have."""
    found: dict[str, set[str]] = {name: {"job", "instance"} for name in OTHERS}
    for instrument in vars(Instruments()).values():
        name, kind = getattr(instrument, "_name", None), getattr(instrument, "_type", "")
        if name:
            endings = {"counter": ("_total",), "histogram": ("_bucket", "_sum", "_count")}.get(kind, ("",))
            labels = {"job", "instance", *instrument._labelnames}
            found |= {name + ending: labels | ({"le"} if ending == "_bucket" else set()) for ending in endings}
    for family in Standing(PredictionService(_no_model)).collect():
        found[family.name] = {"job", "instance", *family._labelnames}
    return found


def test_each_series_asked_for_exists_with_the_labels_that_choose_it() -> None:
    labels = _labels()
    for expression in _expressions():
        asked = re.findall(r"\b([a-z][a-z_]+)\{([^}]*)\}", expression)
        assert asked, expression
        for name, chosen in asked:
            assert name in labels, expression
            assert set(re.findall(r"(\w+)=", chosen)) <= labels[name], expression


def test_series_are_grouped_by_labels_they_have() -> None:
    labels = _labels()
    for expression in _expressions():
        having = set().union(*(labels[name] for name, _ in re.findall(r"\b([a-z][a-z_]+)\{([^}]*)\}", expression)))
        for group in re.findall(r"by \(([\w, ]+)\)", expression):
            assert {label.strip() for label in group.split(",")} <= having, expression


def test_a_share_of_none_is_shown_as_nought() -> None:
    """What never happened has no series: without a default the panel would say that there are no data."""
    shares = [panel for panel in _panels() if panel["fieldConfig"]["defaults"]["unit"] == "percentunit"]
    assert shares
    for panel in shares:
        for target in panel["targets"]:
            assert re.match(r"\(sum\(.+\) or vector\(0\)\) / sum\(", target["expr"]), target["expr"]


def test_the_dashboards_panels_do_not_overlap() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in _panels():
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken, panel["title"]
        assert place["x"] + place["w"] <= 24
        taken |= cells


def test_every_alert_says_how_bad_it_is_and_is_documented() -> None:
    operations = (ROOT / "docs" / "operations.md").read_text()
    for rule in _rules():
        assert rule["labels"]["severity"] in {"warning", "critical"}
        assert rule["annotations"]["summary"]
        assert f"`{rule['alert']}`" in operations, f"{rule['alert']} is not in docs/operations.md"
