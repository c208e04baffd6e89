from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from typer.testing import CliRunner

from crant_core.cli import app, main, show
from crant_core.cli.doctor import _of_beat as of_beat
from crant_core.client import ServiceProblem, ServiceUnreachable
from crant_core.errors import InvalidInput
from crant_core.jobs import doctor, schema
from crant_core.jobs.database import Database
from crant_core.jobs.settings import Settings
from crant_core.jobs.wire import Problem
from crant_core.kinds.registry import all_kinds

DOCS = Path(__file__).parents[4] / "docs" / "reference" / "cli.md"


def commands() -> dict[str, object]:
    import typer.main

    return dict(typer.main.get_command(app).commands)  # type: ignore[attr-defined]


def test_every_command_is_in_the_documentation() -> None:
    page = DOCS.read_text()
    assert [name for name in commands() if f"### `crant {name}`" not in page] == []


def test_every_command_that_shows_something_can_show_json() -> None:
    without = {
        "up",
        "demo",
        "sandbox",
        "schedules",
        "tokens",
    }  # they run until one stops them; the last two have their own
    runner = CliRunner()
    for name in set(commands()) - without:
        assert "--json" in runner.invoke(app, [name, "--help"], env={"COLUMNS": "200", "NO_COLOR": "1"}).output, name


def test_exit_codes_are_said_by_help_and_documentation() -> None:
    shown = " ".join(CliRunner().invoke(app, ["--help"], env={"COLUMNS": "200", "NO_COLOR": "1"}).output.split())
    for code in ("0 done", "1 an error", "2 bad input", "3 some items failed", "5 no service answers"):
        assert code in shown
    assert re.findall(r"^\| (\d) \|", DOCS.read_text(), re.MULTILINE) == ["0", "1", "2", "3", "4", "5"]


def problem(code: str) -> ServiceProblem:
    return ServiceProblem(Problem(type="t", title="t", status=400, code=code, detail="d"))


@pytest.mark.parametrize(
    ("error", "code"),
    [(InvalidInput("x"), 2), (problem("unknown_kind"), 2), (problem("not_found"), 1), (ServiceUnreachable("x"), 5)],
)
def test_errors_have_exit_codes_and_are_json_where_json_was_asked_for(
    error: Exception, code: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["crant", "jobs", "--json"])
    assert show.complain(error) == code  # type: ignore[arg-type]
    assert set(json.loads(capsys.readouterr().err)) == {"code", "message", "hint"}


def completed(words: str, data: Path) -> str:
    environment = os.environ | {
        "_CRANT_COMPLETE": "complete_bash", "COMP_WORDS": words, "COMP_CWORD": str(len(words.split(" ")) - 1),
        "CRANT_DATA": str(data),
    }  # fmt: skip
    command = [sys.executable, "-c", "from crant_core.cli import main; import sys; sys.argv[0]='crant'; main()"]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False).stdout


def test_the_shell_completes_commands_kinds_and_datasets_without_a_service(tmp_path: Path) -> None:
    assert completed("crant su", tmp_path).split() == ["submit"]
    assert set(completed("crant submit ", tmp_path).split()) >= set(all_kinds())
    assert "minnie65_public" in completed("crant submit skeletonize 1 --dataset min", tmp_path)
    assert completed("crant status ", tmp_path).strip() == ""


def test_kinds_are_described_with_their_brackets(monkeypatch: pytest.MonkeyPatch) -> None:
    kind = all_kinds()["snap_to_id"]
    told = SimpleNamespace(name=kind.name, title=kind.title, parameters=kind.parameters.model_json_schema())
    monkeypatch.setattr("crant_core.cli.jobs.Crant", lambda: SimpleNamespace(kinds=lambda: [told]))
    shown = " ".join(CliRunner().invoke(app, ["kinds"], env={"COLUMNS": "200"}).output.split())
    assert "Positions [x, y, z] in nm" in shown


def test_a_doctor_without_a_service_says_how_to_get_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("CRANT_URL", "CRANT_TOKEN", "CRANT_DATABASE_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("CRANT_DATA", str(tmp_path))
    monkeypatch.setattr(sys, "argv", ["crant", "doctor", "--json"])
    with pytest.raises(SystemExit) as ended:
        main()
    (finding,) = json.loads(capsys.readouterr().out)
    assert ended.value.code == 1
    assert (finding["name"], finding["is_well"]) == ("service", False)
    assert "crant up" in finding["hint"]


def settings(tmp_path: Path, **changes: str) -> Settings:
    given = {
        "database_url": f"sqlite:///{tmp_path}/jobs.sqlite",
        "broker_url": "memory://",
        "artifacts_url": f"file://{tmp_path}/artifacts",
        "cave_tokens": {},
    }
    return Settings(**(given | changes))  # type: ignore[arg-type]


def test_the_doctor_finds_what_is_well(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path}/jobs.sqlite")
    schema.upgrade(database)
    database.close()
    assert {found["name"]: found["is_well"] for found in doctor.examine(settings(tmp_path))} == {
        "database": True, "broker": True, "store": True,
    }  # fmt: skip


def test_the_doctor_goes_on_where_things_are_broken_and_shows_no_token(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    broken = settings(
        tmp_path,
        broker_url="redis://127.0.0.1:1/0",
        artifacts_url=f"file://{tmp_path}/file/artifacts",
        cave_tokens={"https://proofreading.zetta.ai": "SECRET"},  # type: ignore[arg-type]
        datasets=[],  # type: ignore[arg-type]
    )
    found = doctor.examine(broken)
    assert {one["name"]: one["is_well"] for one in found if not one["name"].startswith("CAVE")} == {
        "database": False, "broker": False, "store": False,
    }  # fmt: skip
    assert all(one["hint"] for one in found if not one["is_well"])
    assert "SECRET" not in json.dumps(found)


@pytest.mark.parametrize(
    ("broker", "name"),
    [
        ("redis+socket:///nowhere/redis.sock", "Redis"),
        ("amqps://guest@127.0.0.1:1//", "RabbitMQ"),
        ("carrier-pigeon://127.0.0.1", "the broker"),
    ],
)
def test_the_doctor_asks_for_the_broker_that_is_meant(tmp_path: Path, broker: str, name: str) -> None:
    [found] = [one for one in doctor.examine(settings(tmp_path, broker_url=broker)) if one["name"] == "broker"]
    assert not found["is_well"]
    assert found["hint"] == f"is {name} running? check CRANT_BROKER_URL"


@pytest.mark.parametrize(
    ("beat", "found"),
    [
        ({"ticks": True, "last": "2026-11-01T12:00:00+00:00"}, [("beat", True)]),
        ({"ticks": False, "last": None}, [("beat", False)]),
        (None, []),
    ],
)
def test_the_doctor_says_whether_beat_ticks(beat: dict[str, object] | None, found: list[tuple[str, bool]]) -> None:
    assert [(one.name, one.is_well) for one in of_beat(beat)] == found
