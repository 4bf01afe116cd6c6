"""The autoscaler's settings in the manifest are those that the simulation chose, for a pod like the manifest's."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import yaml

from hilum.settings import Settings

K8S = Path(__file__).resolve().parents[2] / "deploy" / "k8s"
RESULT: dict[str, Any] = json.loads((K8S / "autoscaling.json").read_text())
SPEC: dict[str, Any] = yaml.safe_load((K8S / "base" / "autoscaling.yaml").read_text())["spec"]


def _rules(direction: str) -> dict[str, Any]:
    rules = SPEC["behavior"][direction]
    policies = [
        {"kind": one["type"], "value": one["value"], "period_s": one["periodSeconds"]} for one in rules["policies"]
    ]
    return {"window_s": rules["stabilizationWindowSeconds"], "policies": policies}


def test_the_manifest_holds_what_was_chosen() -> None:
    targets = {metric["type"]: metric for metric in SPEC["metrics"]}
    under_way = targets.get("Pods", {}).get("pods", {}).get("target", {}).get("averageValue")
    assert RESULT["chosen"] == {
        "min_replicas": SPEC["minReplicas"],
        "max_replicas": SPEC["maxReplicas"],
        "cpu_percent": targets["Resource"]["resource"]["target"]["averageUtilization"],
        "under_way": int(under_way) if under_way else None,
        "up": _rules("scaleUp"),
        "down": _rules("scaleDown"),
    }


def test_the_simulated_pod_is_the_manifests() -> None:
    (container,) = next(yaml.safe_load_all((K8S / "base" / "serve.yaml").read_text()))["spec"]["template"]["spec"][
        "containers"
    ]
    assert container["resources"]["requests"]["cpu"] == "1"
    assert container["resources"]["limits"]["cpu"] == str(RESULT["pod"]["threads"])
    settings = yaml.safe_load((K8S / "base" / "kustomization.yaml").read_text())["configMapGenerator"][0]["literals"]
    assert f"HILUM_THREADS={RESULT['pod']['threads']}" in settings
    assert RESULT["pod"]["max_waiting"] == Settings.model_fields["max_waiting"].default
    assert RESULT["pod"]["max_wait_s"] * 1000 == Settings.model_fields["max_wait_ms"].default


def test_what_was_simulated_is_a_tenfold_spike_over_measured_times() -> None:
    assert RESULT["load"]["factor"] == 10
    assert RESULT["measured"]["n"] == len(RESULT["measured"]["services_s"]) >= 100
    assert RESULT["grid"] >= 48
