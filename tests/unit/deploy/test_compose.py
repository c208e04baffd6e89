"""No container engine runs here, so the compose file is held to what can be known without one."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from crant_core.jobs.model import Queue
from crant_core.jobs.settings import Settings
from crant_core.sandbox import demo_dataset
from deploy import settings_example

ROOT = Path(__file__).parents[3]
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = ["migrate", "api", "worker-cpu", "worker-io", "worker-heavy", "beat", "flower"]
SECRETS = {"crant_database_password", "crant_cave_tokens", "flower_password"}
OF_BUCKETS = {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_ENDPOINT_URL", "AWS_DEFAULT_REGION"}
KNOWN = {settings_example.variable(name, field) for name, field in Settings.model_fields.items()}


def test_the_settings_example_is_what_the_settings_say() -> None:
    written = (ROOT / "deploy" / "env.example").read_text()
    assert written == settings_example.text(), "run: python -m deploy.settings_example > deploy/env.example"


def test_there_is_a_service_for_every_process_and_a_worker_for_every_queue() -> None:
    assert set(SERVICES) == {"db", "redis", "proxy", "sandbox", *OURS}
    queues = {service["environment"]["QUEUES"] for name, service in SERVICES.items() if name.startswith("worker-")}
    assert queues == set(Queue)


@pytest.mark.skipif(shutil.which("docker-compose") is None, reason="Debian's docker-compose is not installed")
@pytest.mark.parametrize("profiles", [(), ("proxy", "sandbox")])
def test_compose_itself_reads_it(tmp_path: Path, profiles: tuple[str, ...]) -> None:
    environment = os.environ | {"CRANT_SECRETS": str(tmp_path), "COMPOSE_PROJECT_NAME": "crant"}
    subprocess.run([ROOT / "deploy" / "new-secrets.sh", tmp_path], check=True, stdout=subprocess.DEVNULL)
    words = [word for profile in profiles for word in ("--profile", profile)]
    command = ["docker-compose", "-f", ROOT / "docker-compose.yml", *words]
    ran = subprocess.run([*command, "config"], env=environment, capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stderr) == (0, "")
    assert {s for s in SERVICES if not SERVICES[s].get("profiles")} <= set(yaml.safe_load(ran.stdout)["services"])


@pytest.mark.skipif(shutil.which("docker-compose") is None, reason="Debian's docker-compose is not installed")
def test_every_setting_in_the_file_of_settings_reaches_the_processes(tmp_path: Path) -> None:
    fixed = {"CRANT_DATABASE_URL", "CRANT_BROKER_URL", "CRANT_CACHE_FOLDER", "CRANT_LOG_JSON"}
    by_file = {"CRANT_DATABASE_PASSWORD", "CRANT_CAVE_TOKENS"}
    of_workers = {"CRANT_CHILD_MEGABYTES", "CRANT_HEAVY_VERTICES"}
    given = dict.fromkeys((KNOWN | OF_BUCKETS) - fixed - by_file - of_workers, "[]")
    (tmp_path / ".env").write_text("".join(f"{name}={value}\n" for name, value in given.items()))
    command = ["docker-compose", "--project-directory", tmp_path, "-f", ROOT / "docker-compose.yml", "config"]
    environment = {name: value for name, value in os.environ.items() if name not in given}
    ran = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    for name in OURS:
        found = yaml.safe_load(ran.stdout)["services"][name]["environment"]
        assert {key: found.get(key) for key in given} == given


def test_a_setting_that_nobody_gave_is_not_set() -> None:
    assert {SERVICES["api"]["environment"][name] for name in OF_BUCKETS} == {None}


@pytest.mark.parametrize("name", [".gitignore", ".dockerignore"])
def test_secrets_stay_out_of_images_and_commits(name: str) -> None:
    assert {"/secrets/", "/.env"} <= {f"/{line.lstrip('/')}" for line in (ROOT / name).read_text().splitlines()}


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_waits_only_for_services_that_exist_and_mounts_what_is_declared(name: str) -> None:
    service = SERVICES[name]
    for other, how in service.get("depends_on", {}).items():
        assert other in SERVICES
        assert how["condition"] != "service_healthy" or "healthcheck" in SERVICES[other]
    for volume in service.get("volumes", []):
        source = volume.split(":")[0]
        assert source in COMPOSE["volumes"] or (ROOT / source).exists(), source
    assert set(service.get("secrets", [])) <= set(COMPOSE["secrets"])


@pytest.mark.parametrize("name", sorted(set(SERVICES) - {"migrate"}))
def test_what_runs_for_long_has_a_limit_of_memory_and_restarts(name: str) -> None:
    service = SERVICES[name]
    assert service["deploy"]["resources"]["limits"]["memory"]
    assert service["restart"] == "unless-stopped"
    assert "healthcheck" in service or name in ("beat", "proxy")


@pytest.mark.parametrize("name", OURS)
def test_our_processes_are_not_root_and_know_only_settings_that_exist(name: str) -> None:
    service = SERVICES[name]
    assert service["user"] == "10001:10001"
    assert service["read_only"]
    given = {key for key in service["environment"] if key.startswith(("CRANT_", "OTEL_"))}
    assert given <= KNOWN
    assert {"CRANT_DATABASE_URL", "CRANT_BROKER_URL", "CRANT_ARTIFACTS_URL", "CRANT_PUBLIC_URL"} <= given


@pytest.mark.parametrize("name", OURS)
def test_commands_name_modules_that_exist(name: str) -> None:
    words = " ".join(SERVICES[name]["command"]).split()
    named = [words[words.index("-m") + 1]] + [w.split(":")[0] for w in words if re.fullmatch(r"(api|worker)\.\S+", w)]
    for module in named:
        assert importlib.util.find_spec(module) is not None


@pytest.mark.parametrize("name", ["worker-cpu", "worker-io", "worker-heavy"])
def test_a_workers_processes_fit_into_its_container(name: str) -> None:
    service = SERVICES[name]
    given = {key: value for key, value in service["environment"].items() if value}
    environment = {key: re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", value) for key, value in given.items()}
    child, processes = int(environment["CRANT_CHILD_MEGABYTES"]), int(environment["PROCESSES"])
    limit = int(service["deploy"]["resources"]["limits"]["memory"].removesuffix("G")) * 1024
    assert child <= limit
    assert name == "worker-io" or child * processes < limit, "those that wait are never large all at once"


def test_passwords_are_in_files_and_nowhere_else(tmp_path: Path) -> None:
    text = (ROOT / "docker-compose.yml").read_text()
    assert set(COMPOSE["secrets"]) == SECRETS
    assert not re.search(r"PASSWORD: ", text)
    subprocess.run([ROOT / "deploy" / "new-secrets.sh", tmp_path / "s"], check=True, stdout=subprocess.DEVNULL)
    made = {path.name: path.read_text() for path in (tmp_path / "s").iterdir()}
    assert set(made) == SECRETS
    assert len(made["flower_password"]) == len(made["crant_database_password"]) == 32
    assert made["flower_password"] != made["crant_database_password"]
    assert (tmp_path / "s").stat().st_mode & 0o777 == 0o700
    subprocess.run([ROOT / "deploy" / "new-secrets.sh", tmp_path / "s"], check=True, stdout=subprocess.DEVNULL)
    assert {path.name: path.read_text() for path in (tmp_path / "s").iterdir()} == made, "a second call changes nothing"


def test_settings_read_the_files_that_compose_mounts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "crant_database_password").write_text("s:e/c@r?t")
    (tmp_path / "crant_cave_tokens").write_text('{"https://cave.example": "token"}')
    (tmp_path / "crant_broker_url").write_text("memory://file")
    monkeypatch.setenv("CRANT_SECRETS_FOLDER", str(tmp_path))
    monkeypatch.setenv("CRANT_DATABASE_URL", SERVICES["api"]["environment"]["CRANT_DATABASE_URL"])
    monkeypatch.setenv("CRANT_ARTIFACTS_URL", "file:///data")
    settings = Settings()
    assert settings.token("https://cave.example") == "token"
    assert settings.broker_url == "memory://file"
    assert settings.database_url == "postgresql+psycopg://crant:s%3Ae%2Fc%40r%3Ft@db:5432/crant"
    assert "s:e/c@r?t" not in repr(settings.database_password)
    monkeypatch.setenv("CRANT_BROKER_URL", "memory://environment")
    assert Settings().broker_url == "memory://environment", "the environment goes first"


def test_the_sandboxs_settings_are_its_dataset_at_its_address() -> None:
    lines = (ROOT / "deploy" / "sandbox.env").read_text().splitlines()
    values = dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))
    assert json.loads(values["CRANT_DATASETS"]) == [demo_dataset("http://sandbox:8900").model_dump(mode="json")]
    assert SERVICES["sandbox"]["command"][-4:] == ["--host", "0.0.0.0", "--port", "8900"]  # noqa: S104
    assert f'"http://sandbox:8900": "{values["CRANT_SANDBOX_TOKEN"]}"' in "\n".join(lines)


def test_what_the_dockerfile_copies_exists() -> None:
    lines = (ROOT / "deploy" / "Dockerfile").read_text().splitlines()
    copied = [line.split()[1:-1] for line in lines if line.startswith("COPY ") and "--from" not in line]
    assert copied
    assert [word for words in copied for word in words if not (ROOT / word).exists()] == []


@pytest.mark.parametrize("name", ["service", "worker", "build"])
def test_images_have_the_versions_that_were_tested(name: str) -> None:
    pins = set(re.findall(r"^\S+==\S+(?: ;[^\\]*)?", (ROOT / f"requirements/{name}.txt").read_text(), re.MULTILINE))
    tested = set(re.findall(r"^(\S+==\S+)", (ROOT / "requirements/lock.txt").read_text(), re.MULTILINE))
    assert pins
    assert {pin.split()[0] for pin in pins} <= tested, "run: make lock"


def test_secrets_can_be_read_by_containers_and_written_by_whoever_made_them(tmp_path: Path) -> None:
    subprocess.run([ROOT / "deploy" / "new-secrets.sh", tmp_path / "s"], check=True, stdout=subprocess.DEVNULL)
    assert {oct(path.stat().st_mode & 0o777) for path in (tmp_path / "s").iterdir()} == {"0o644"}
    assert oct((tmp_path / "s").stat().st_mode & 0o777) == "0o700"
