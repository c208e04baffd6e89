"""The units, as systemd itself reads them."""

from __future__ import annotations

import configparser
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from crant_core.jobs.model import Queue

FOLDER = Path(__file__).parents[3] / "deploy" / "systemd"
UNITS = sorted(path.name for path in FOLDER.iterdir())
NEEDED = pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not installed")


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """The units with a Python that exists; systemd wants programs to be there."""
    for name in UNITS:
        text = (FOLDER / name).read_text().replace("/opt/crant/.venv/bin/python", sys.executable)
        (tmp_path / name).write_text(text)
    return tmp_path


def analyze(folder: Path, *names: str) -> tuple[int, str]:
    found = [str(folder / (name.replace("@.", "@cpu."))) for name in names]
    for name in names:
        if "@." in name and not (folder / name.replace("@.", "@cpu.")).exists():
            (folder / name.replace("@.", "@cpu.")).symlink_to(folder / name)
    command = ["systemd-analyze", "verify", "--man=no", *found]
    ran = subprocess.run(command, capture_output=True, text=True, check=False, env={"SYSTEMD_UNIT_PATH": f"{folder}:"})
    return ran.returncode, ran.stderr


@NEEDED
def test_systemd_understands_every_word(installed: Path) -> None:
    assert analyze(installed, *UNITS) == (0, "")


@NEEDED
def test_a_word_that_systemd_does_not_know_would_be_found(installed: Path) -> None:
    unit = installed / "crant-api.service"
    unit.write_text(unit.read_text().replace("ProtectHome=", "ProtectHouse="))
    assert "ProtectHouse" in analyze(installed, "crant-api.service")[1]


@NEEDED
@pytest.mark.parametrize("name", [name for name in UNITS if name.endswith(".service")])
def test_units_are_confined(installed: Path, name: str) -> None:
    command = ["systemd-analyze", "security", "--offline=true", "--threshold=40", str(installed / name)]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout[-300:]


def test_the_target_starts_everything_and_a_worker_for_every_queue() -> None:
    wanted = set(re.findall(r"crant-\S+\.service", (FOLDER / "crant.target").read_text()))
    services = {name for name in UNITS if name.endswith(".service") and "@" not in name}
    assert wanted == services | {f"crant-worker@{queue}.service" for queue in Queue}


@pytest.mark.parametrize("name", [name for name in UNITS if name.endswith(".service")])
def test_secrets_are_credentials_and_no_process_is_root(name: str) -> None:
    parser = configparser.RawConfigParser(strict=False)
    parser.optionxform = str  # type: ignore[assignment, method-assign]
    parser.read(FOLDER / name)
    service = parser["Service"]
    assert service["User"] == "crant"
    assert "password" not in service["ExecStart"].replace("${CREDENTIALS_DIRECTORY}/flower_password", "")
    assert shlex.split(service["ExecStart"])[0].startswith("/")


@pytest.mark.parametrize("name", [name for name in UNITS if name.endswith(".service")])
def test_a_database_that_is_late_keeps_nobody_down(name: str) -> None:
    """With Requires=, systemd starts nothing any more once migrate has failed, however often that is tried again."""
    lines = (FOLDER / name).read_text().splitlines()
    assert not [line for line in lines if line.startswith(("Requires=", "BindsTo=", "Requisite="))]
    if name == "crant-migrate.service":
        assert "Restart=on-failure" in lines
    else:
        assert "Restart=always" in lines
        assert "Wants=network-online.target crant-migrate.service" in lines
    waits = "ExecStartPre=/opt/crant/.venv/bin/python -m crant_core.jobs db check" in lines
    assert waits or name in ("crant-migrate.service", "crant-flower.service")


def test_a_worker_that_is_enabled_on_a_host_of_its_own_starts_with_the_machine() -> None:
    """The target is not enabled there: it would start API, beat and Flower as well."""
    assert "WantedBy=multi-user.target" in (FOLDER / "crant-worker@.service").read_text().splitlines()


def test_workers_are_told_alone_to_stop_and_have_time_to_hand_back() -> None:
    text = (FOLDER / "crant-worker@.service").read_text()
    assert "KillMode=mixed" in text, "children end their units"
    assert "TimeoutStopSec=120" in text


def test_an_operators_shell_is_of_the_same_user_settings_and_secrets_as_the_units(tmp_path: Path) -> None:
    stand_in = tmp_path / "systemd-run"
    stand_in.write_text('#!/bin/sh\nprintf "%s\\n" "$@"\n')
    stand_in.chmod(0o755)
    command = [FOLDER.parent / "shell.sh", "crant", "items", "a job's $JOB"]
    environment = {"PATH": f"{tmp_path}:/usr/bin:/bin", "CRANT_TOKEN": "t"}
    ran = subprocess.run(command, capture_output=True, text=True, check=True, env=environment, stdin=subprocess.DEVNULL)
    words = ran.stdout.splitlines()
    unit = (FOLDER / "crant-migrate.service").read_text().splitlines()
    shared = [line for line in unit if line.startswith(("EnvironmentFile=", "LoadCredential=", "UMask="))]
    assert len(shared) == 4
    assert {f"--property={line}" for line in shared} <= set(words)
    assert {"--uid=crant", "--gid=crant", "--pipe", "--setenv=HOME=/var/lib/crant", "--setenv=CRANT_TOKEN=t"} <= set(
        words
    )
    assert words[-3:] == ["crant", "items", "a job's $JOB"]


def test_systemd_reads_the_sandboxs_settings_as_they_are_written() -> None:
    """JSON stands without quotes there; a shell would not read it so, which is why nothing sources the file."""
    line = next(x for x in (FOLDER.parent / "sandbox.env").read_text().splitlines() if x.startswith("CRANT_DATASETS="))
    assert not re.search(r"[\\']", line), "what systemd would take away"
    assert line.split("=", 1)[1].startswith("[{")
