"""No container engine runs here, so the compose file is held to what can be known without one."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from crant_core.jobs.settings import Settings
from deploy import settings_example

ROOT = Path(__file__).parents[3]
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]


def test_the_settings_example_is_what_the_settings_say() -> None:
    written = (ROOT / "deploy" / "env.example").read_text()
    assert written == settings_example.text(), "run: python -m deploy.settings_example > deploy/env.example"


def test_there_is_a_service_for_every_process() -> None:
    assert set(SERVICES) == {"db", "redis", "migrate", "api", "worker", "beat", "flower"}


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_waits_only_for_services_that_exist_and_mounts_declared_volumes(name: str) -> None:
    service = SERVICES[name]
    for other, how in service.get("depends_on", {}).items():
        assert other in SERVICES
        assert how["condition"] != "service_healthy" or "healthcheck" in SERVICES[other]
    for volume in service.get("volumes", []):
        assert volume.split(":")[0] in COMPOSE["volumes"]


@pytest.mark.parametrize("name", ["migrate", "api", "worker", "beat", "flower"])
def test_our_processes_are_not_root_and_know_only_settings_that_exist(name: str) -> None:
    service = SERVICES[name]
    assert service["user"] != "root"
    known = {f"CRANT_{field.upper()}" for field in Settings.model_fields}
    given = {key for key in service["environment"] if key.startswith("CRANT_")}
    assert given <= known
    assert {"CRANT_DATABASE_URL", "CRANT_BROKER_URL", "CRANT_ARTIFACTS_URL"} <= given


@pytest.mark.parametrize("name", ["migrate", "api", "worker", "beat", "flower"])
def test_commands_name_modules_that_exist(name: str) -> None:
    words = SERVICES[name]["command"]
    modules = [words[words.index("-m") + 1]] + [
        word.split(":")[0] for word in words if re.fullmatch(r"(api|worker)\.\S+", word)
    ]
    for module in modules:
        assert importlib.util.find_spec(module) is not None


def test_no_secret_has_a_default() -> None:
    text = (ROOT / "docker-compose.yml").read_text()
    for name in ("POSTGRES_PASSWORD", "FLOWER_PASSWORD"):
        assert re.findall(rf"\${{{name}([^}}]*)}}", text)
        assert all(rest.startswith(":?") for rest in re.findall(rf"\${{{name}([^}}]*)}}", text))


def test_what_the_dockerfile_copies_exists() -> None:
    for line in (ROOT / "deploy" / "Dockerfile").read_text().splitlines():
        if line.startswith("COPY ") and "--from" not in line:
            assert (ROOT / line.split()[1]).exists()
