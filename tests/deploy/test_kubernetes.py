"""The Kubernetes manifests: each overlay renders, is valid by the schemas of Kubernetes, and fits the repository."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from hilum.cli import main
from hilum.settings import Settings
from hilum.web.metrics import Instruments
from hilum.web.server import _DRAIN_S
from hilum.web.upload_limits import UploadLimits

ROOT = Path(__file__).resolve().parents[2]
OVERLAYS = ("local", "aws", "gcp", "azure")
CUSTOM = {"ServiceMonitor", "PrometheusRule", "BackendConfig"}
KUBERNETES = "1.34"

pytestmark = pytest.mark.skipif(
    shutil.which("kubectl") is None and "CI" not in os.environ, reason="kubectl is not installed"
)


@cache
def rendered(overlay: str) -> tuple[dict[str, Any], ...]:
    command = ["kubectl", "kustomize", ROOT / "deploy" / "k8s" / "overlays" / overlay]
    made = subprocess.run(command, capture_output=True, text=True, check=False)
    assert made.returncode == 0, made.stderr
    return tuple(yaml.safe_load_all(made.stdout))


def of_kind(overlay: str, *kinds: str) -> list[dict[str, Any]]:
    return [document for document in rendered(overlay) if document["kind"] in kinds]


def pod(workload: dict[str, Any]) -> dict[str, Any]:
    spec: dict[str, Any] = workload["spec"]["template"]["spec"]
    return spec


def instances(overlay: str) -> dict[str, Any]:
    (found,) = (one for one in of_kind(overlay, "Deployment") if one["metadata"]["name"] == "hilum-serve")
    return found


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_kubernetes_accepts_every_resource(overlay: str) -> None:
    resources = [document for document in rendered(overlay) if document["kind"] not in CUSTOM]
    assert len(resources) >= 8
    for resource in resources:
        kubernetes_validate.validate(resource, KUBERNETES, strict=True)


def test_a_wrong_manifest_is_noticed() -> None:
    deployment = instances("aws")
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(deployment | {"spec": {"replica": 2}}, KUBERNETES, strict=True)


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_every_container_is_closed(overlay: str) -> None:
    workloads = of_kind(overlay, "Deployment", "Job")
    assert workloads
    for workload in workloads:
        assert pod(workload)["securityContext"]["runAsNonRoot"]
        assert not pod(workload)["automountServiceAccountToken"]
        for container in pod(workload)["containers"]:
            security = container["securityContext"]
            assert security["readOnlyRootFilesystem"]
            assert not security["allowPrivilegeEscalation"]
            assert security["capabilities"] == {"drop": ["ALL"]}
            assert set(container["resources"]) == {"requests", "limits"}
            assert ":" in container["image"]
            assert not container["image"].endswith(":latest")


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_settings_and_commands_are_those_there_are(overlay: str) -> None:
    known = {f"HILUM_{field.upper()}" for field in Settings.model_fields}
    for settings in of_kind(overlay, "ConfigMap"):
        assert {name for name in settings["data"] if name.startswith("HILUM_")} <= known
    for workload in of_kind(overlay, "Deployment", "Job"):
        for container in pod(workload)["containers"]:
            assert container["args"][0] in main.commands
            assert {one["name"] for one in container.get("env", ())} <= known


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_no_secret_is_written_down(overlay: str) -> None:
    assert of_kind(overlay, "Secret") == []
    deployment = instances(overlay)
    given = pod(deployment)["containers"][0].get("env", [])
    assert all("secretKeyRef" in one["valueFrom"] for one in given)


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_names_refer_to_what_there_is(overlay: str) -> None:
    deployment = instances(overlay)
    labels = deployment["spec"]["template"]["metadata"]["labels"].items()
    names = {(document["kind"], document["metadata"]["name"]) for document in rendered(overlay)}
    for chosen in of_kind(overlay, "Service", "PodDisruptionBudget"):
        selector = chosen["spec"]["selector"]
        assert selector.get("matchLabels", selector).items() <= labels
    for scaler in of_kind(overlay, "HorizontalPodAutoscaler"):
        assert ("Deployment", scaler["spec"]["scaleTargetRef"]["name"]) in names
    for monitor in of_kind(overlay, "ServiceMonitor"):
        (service,) = of_kind(overlay, "Service")
        assert monitor["spec"]["selector"]["matchLabels"].items() <= service["metadata"]["labels"].items()
        assert monitor["spec"]["endpoints"][0]["port"] in {port["name"] for port in service["spec"]["ports"]}
    for reference in pod(deployment)["containers"][0]["envFrom"]:
        assert ("ConfigMap", reference["configMapRef"]["name"]) in names
    assert ("ServiceAccount", pod(deployment)["serviceAccountName"]) in names
    for mount in pod(deployment)["containers"][0]["volumeMounts"]:
        assert mount["name"] in {volume["name"] for volume in pod(deployment)["volumes"]}


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_the_policy_lets_out_every_pod_and_lets_in_only_to_the_instances(overlay: str) -> None:
    policies = {policy["metadata"]["name"]: policy["spec"] for policy in of_kind(overlay, "NetworkPolicy")}
    assert policies["hilum-nothing"] == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    chosen = policies["hilum-out"]["podSelector"]["matchLabels"]
    for workload in of_kind(overlay, "Deployment", "Job"):
        assert chosen.items() <= workload["spec"]["template"]["metadata"]["labels"].items()
    letting_in = [name for name, spec in policies.items() if spec.get("ingress")]
    assert letting_in == ["hilum-serve"]


@pytest.mark.parametrize("overlay", ["aws", "gcp", "azure"])
def test_a_worker_trains_and_instances_leave_it_to_that(overlay: str) -> None:
    (worker,) = (one for one in of_kind(overlay, "Deployment") if one["metadata"]["name"] == "hilum-worker")
    (container,) = pod(worker)["containers"]
    assert container["args"] == ["worker"]
    assert ":train-" in container["image"]
    assert ":serve-" in pod(instances(overlay))["containers"][0]["image"]
    (settings,) = of_kind(overlay, "ConfigMap")
    assert settings["data"]["HILUM_WORKER"] == "false"


def test_uploads_at_the_limits_do_not_have_a_pod_evicted() -> None:
    spec = pod(instances("aws"))
    sizes = {one["name"]: int(one["emptyDir"]["sizeLimit"].removesuffix("Gi")) * 2**30 for one in spec["volumes"]}
    limits = UploadLimits()
    assert sizes["tmp"] > limits.dataset_bytes + limits.scoring_bytes, "one of each may be under way"
    (container,) = spec["containers"]
    storage = int(container["resources"]["limits"]["ephemeral-storage"].removesuffix("Gi")) * 2**30
    assert storage > sum(sizes.values())


def test_gke_is_told_its_ingress_in_the_way_it_heeds_and_to_wait_for_uploads() -> None:
    (ingress,) = of_kind("gcp", "Ingress")
    assert ingress["metadata"]["annotations"]["kubernetes.io/ingress.class"] == "gce-internal"
    assert "ingressClassName" not in ingress["spec"], "GKE takes no action where only that is set"
    (backend,) = of_kind("gcp", "BackendConfig")
    (service,) = of_kind("gcp", "Service")
    named = json.loads(service["metadata"]["annotations"]["cloud.google.com/backend-config"])
    assert named == {"default": backend["metadata"]["name"]}
    assert backend["spec"]["timeoutSec"] == 300
    assert backend["spec"]["healthCheck"]["port"] == pod(instances("gcp"))["containers"][0]["ports"][0]["containerPort"]


@pytest.mark.parametrize(("overlay", "least_s"), [("aws", 20), ("gcp", 20), ("azure", 5)])
def test_a_pod_has_time_to_drain(overlay: str, least_s: int) -> None:
    deployment = instances(overlay)
    pause = int(pod(deployment)["containers"][0]["lifecycle"]["preStop"]["exec"]["command"][1])
    assert pause >= least_s, "a cloud's load balancer hears later than a Service that a pod goes"
    assert pod(deployment)["terminationGracePeriodSeconds"] > pause + _DRAIN_S
    assert deployment["spec"]["strategy"]["rollingUpdate"]["maxUnavailable"] == 0


@pytest.mark.parametrize(("overlay", "balancer_s"), [("aws", 300), ("gcp", 600), ("azure", 60)])
def test_an_instance_closes_no_connection_that_the_load_balancer_may_use(overlay: str, balancer_s: int) -> None:
    (settings,) = of_kind(overlay, "ConfigMap")
    assert int(settings["data"]["HILUM_KEEP_ALIVE_S"]) > balancer_s
    if overlay == "aws":
        (ingress,) = of_kind(overlay, "Ingress")
        attributes = ingress["metadata"]["annotations"]["alb.ingress.kubernetes.io/load-balancer-attributes"]
        assert f"idle_timeout.timeout_seconds={balancer_s}" in attributes


def test_the_ingress_of_azure_lets_through_what_hilum_takes() -> None:
    (ingress,) = of_kind("azure", "Ingress")
    size = ingress["metadata"]["annotations"]["nginx.ingress.kubernetes.io/proxy-body-size"]
    assert int(size.removesuffix("g")) * 2**30 > UploadLimits().scoring_bytes


def test_the_alert_rules_are_those_of_compose() -> None:
    (rules,) = of_kind("aws", "PrometheusRule")
    assert rules["spec"] == yaml.safe_load((ROOT / "deploy" / "prometheus" / "alerts.yml").read_text())


def test_the_autoscaler_asks_for_a_metric_there_is() -> None:
    (scaler,) = of_kind("aws", "HorizontalPodAutoscaler")
    kinds = {metric["type"]: metric for metric in scaler["spec"]["metrics"]}
    assert kinds["Pods"]["pods"]["metric"]["name"] == Instruments().waiting._name
    assert kinds["Resource"]["resource"]["name"] == "cpu"
