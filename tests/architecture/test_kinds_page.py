"""docs/kinds.md says what the specs of the kinds say."""

from __future__ import annotations

from pathlib import Path

import pytest

from crant_core.kinds.registry import all_kinds
from tests.fixtures.kinds_page import generated, sections

ROOT = Path(__file__).parents[2]
#: those of the project; benchmarks and faults bring kinds of their own into the process
KINDS = {name: kind for name, kind in all_kinds().items() if (ROOT / "crant_core" / "kinds" / name).is_dir()}


def test_every_kind_has_a_section_and_no_other_has() -> None:
    assert sections().keys() == KINDS.keys()


@pytest.mark.parametrize("name", KINDS)
def test_a_section_has_the_kinds_parameters_example_and_rule_of_reuse(name: str) -> None:
    text = sections()[name]
    assert text.endswith(generated(KINDS[name])), "run: python -m tests.fixtures.kinds_page"
    assert text.startswith(tuple("ABCDEFGHIJKLMNOPQRSTUVWXYZ"))
    assert "*Files" in text
    assert "*Metrics" in text or "and metrics" in text


@pytest.mark.parametrize("name", KINDS)
def test_every_parameter_of_a_kind_has_a_description(name: str) -> None:
    for parameter, field in KINDS[name].parameters.model_json_schema()["properties"].items():
        assert field.get("description"), parameter


@pytest.mark.parametrize("name", KINDS)
def test_the_readme_names_every_kind(name: str) -> None:
    assert f"`{name}`" in (ROOT / "README.md").read_text()
