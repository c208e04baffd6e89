"""Documents that say what is so."""

from __future__ import annotations

import re
from enum import StrEnum
from pathlib import Path
from typing import get_args

import pytest
from typer.main import get_command

from crant_core.cli import app
from crant_core.cli.sandbox import Profile
from crant_core.jobs.model import ITEM_TRANSITIONS, JOB_TRANSITIONS, UNIT_TRANSITIONS
from crant_core.jobs.settings import Settings
from crant_core.sandbox.faults.profiles import NAMES
from tests.fixtures.neurons import live_roots

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "deploy/README.md")]
PAGES += sorted((ROOT / "docs").rglob("*.md"))
COMMANDS = get_command(app).commands  # type: ignore[attr-defined] # typer returns a group


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere_and_commands_exist(page: Path) -> None:
    text = page.read_text()
    for link in re.findall(r"\]\(([^)#]+)", text):
        assert link.startswith("http") or (page.parent / link).exists(), link
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert set(re.findall(r"(?:^|`)make ([a-z-]+)", text, re.MULTILINE)) <= targets
    for command in re.findall(r"(?:^|`)crant ([a-z]+)", text, re.MULTILINE):
        assert command in COMMANDS, command


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_and_option_has_help(name: str) -> None:
    command = COMMANDS[name]
    assert command.help
    for parameter in command.params:
        assert getattr(parameter, "help", None), f"{name} {parameter.name}"


@pytest.mark.parametrize("name", Settings.model_fields)
def test_every_setting_has_a_description(name: str) -> None:
    assert Settings.model_fields[name].description


@pytest.mark.parametrize("name", NAMES)
def test_every_profile_of_the_sandbox_is_explained(name: str) -> None:
    assert f"| `{name}` |" in (ROOT / "docs" / "sandbox.md").read_text()
    assert name in get_args(Profile)


def _help(command: str, option: str) -> str:
    [found] = [parameter for parameter in COMMANDS[command].params if parameter.name == option]
    return str(found.help)


def test_the_readmes_neurons_are_current() -> None:
    roots = {str(root) for root in live_roots()}
    named = set(re.findall(r"\b5764607\d{11}\b", (ROOT / "README.md").read_text()))
    assert named
    assert named <= roots


def test_every_decision_is_listed() -> None:
    listed = (ROOT / "docs" / "decisions" / "README.md").read_text()
    for page in (ROOT / "docs" / "decisions").glob("0*.md"):
        assert f"({page.name})" in listed


@pytest.mark.parametrize(
    ("heading", "table"), [("Jobs", JOB_TRANSITIONS), ("Units", UNIT_TRANSITIONS), ("Items", ITEM_TRANSITIONS)]
)
def test_the_engines_page_has_all_states_and_what_leads_where(
    heading: str, table: dict[StrEnum, frozenset[StrEnum]]
) -> None:
    section = (ROOT / "docs" / "engine.md").read_text().split(f"### {heading}\n")[1].split("#")[0]
    for state, following in table.items():
        names = ", ".join(f"`{other}`" for other in type(state) if other in following) or "–"
        assert f"| `{state}` | {names} |" in section
    assert section.count("\n| `") == len(table)


def test_every_package_is_on_the_map() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text()
    for folder in (ROOT / "crant_core").iterdir():
        if (folder / "__init__.py").is_file():
            assert f"{folder.name}/`" in text, folder.name


def test_no_module_is_longer_than_a_reader_can_hold() -> None:
    for package in ("crant_core", "api", "worker", "deploy"):
        for module in (ROOT / package).rglob("*.py"):
            assert len(module.read_text().splitlines()) <= 400, module


def test_every_defect_of_cortical_tools_has_tests_that_exist() -> None:
    rows = re.findall(r"^\| D(\d+) \|.*\| ([^|]+) \|$", (ROOT / "docs/reference/cortical.md").read_text(), re.MULTILINE)
    assert [int(number) for number, _ in rows] == list(range(1, 24))
    text = "\n".join(path.read_text() for path in (ROOT / "tests").rglob("test_*.py"))
    for number, names in rows:
        for name in re.findall(r"`(\w+)`", names):
            assert f"_d{number}_" in name
            assert f"def {name}(" in text, name
        assert "`" in names
