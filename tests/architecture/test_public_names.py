"""What users of crantpy and cortical-tools write works here: the same names, order of arguments, and defaults.

`public_names.json` holds the facts, from their documentation. A name that a later issue brings moves from "not yet" to
the others then; a test fails until it does.
"""

from __future__ import annotations

import inspect
import json
import re
from pathlib import Path
from typing import Any

import pytest

import crant_core

DOCUMENTED = json.loads(Path(__file__).with_name("public_names.json").read_text())
FUNCTIONS: dict[str, list[dict[str, Any]]] = DOCUMENTED["functions"]
METHODS: dict[str, list[dict[str, Any]] | None] = DOCUMENTED["DatasetClient"]
LATER: dict[str, list[str]] = DOCUMENTED["not yet"]
KINDS = {"keyword": "KEYWORD_ONLY", "*": "VAR_POSITIONAL", "**": "VAR_KEYWORD"}


def check(name: str, function: Any, documented: list[dict[str, Any]], skipped: int = 0) -> None:
    """Hold a function to its documentation; what it takes beside that is by keyword only, with a default."""
    ours = list(inspect.signature(function).parameters.values())[skipped:]
    known = {parameter["name"] for parameter in documented}
    assert [parameter.name for parameter in ours if parameter.name in known] == [one["name"] for one in documented]
    for parameter in ours:
        if parameter.name not in known:
            assert parameter.kind is parameter.KEYWORD_ONLY, parameter
            assert parameter.default is not parameter.empty, parameter
    for one in documented:
        check_parameter(name, one, inspect.signature(function).parameters[one["name"]])


def check_parameter(name: str, documented: dict[str, Any], ours: inspect.Parameter) -> None:
    kind = documented.get("kind")
    assert ours.kind.name == KINDS.get(kind, "POSITIONAL_OR_KEYWORD")
    if kind not in ("*", "**"):
        expected = DOCUMENTED["other defaults"].get(f"{name}.{ours.name}", documented).get("default", ours.empty)
        expected = tuple(expected) if isinstance(expected, list) else expected  # JSON has no tuples
        assert ours.default == expected
        assert type(ours.default) is type(expected)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_documented_function_is_there_with_its_arguments_and_defaults(name):
    assert name in crant_core.__all__
    check(name, getattr(crant_core, name), FUNCTIONS[name])


@pytest.mark.parametrize("name", DOCUMENTED["functions without a documented signature"])
def test_a_function_without_a_documented_signature_is_there(name):
    assert callable(getattr(crant_core, name))


@pytest.mark.parametrize("name", DOCUMENTED["methods"])
def test_a_documented_method_is_there_with_its_arguments_and_defaults(name):
    home, _, method = name.partition(".")
    is_bound = isinstance(inspect.getattr_static(getattr(crant_core, home), method), classmethod)
    check(name, getattr(getattr(crant_core, home), method), DOCUMENTED["methods"][name], skipped=0 if is_bound else 1)


@pytest.mark.parametrize("home", DOCUMENTED["properties"])
def test_documented_properties_are_there(home):
    for name in DOCUMENTED["properties"][home]:
        assert isinstance(inspect.getattr_static(getattr(crant_core, home), name), property), name


@pytest.mark.parametrize("name", METHODS)
def test_a_documented_part_of_the_dataset_client_is_there(name):
    part, documented = inspect.getattr_static(crant_core.DatasetClient, name), METHODS[name]
    if documented is None:
        assert isinstance(part, property)
    else:
        is_static = isinstance(part, staticmethod)
        check(name, getattr(crant_core.DatasetClient, name), documented, skipped=0 if is_static else 1)


def test_a_dataset_client_knows_where_it_is_without_asking():
    client = crant_core.DatasetClient("kronauer_ant", "https://nowhere.invalid")
    found = {name: getattr(client, name) for name in DOCUMENTED["attributes of DatasetClient"]}
    assert found == {"datastack_name": "kronauer_ant", "server_address": "https://nowhere.invalid"}


def test_where_we_differ_we_say_why():
    for name, differing in DOCUMENTED["other defaults"].items():
        function, parameter = name.split(".")
        assert parameter in {one["name"] for one in FUNCTIONS.get(function) or METHODS[function] or ()}
        assert differing["why"]


@pytest.mark.parametrize("name", LATER["functions"])
def test_what_comes_later_is_not_half_there(name):
    assert not hasattr(crant_core, name)
    assert name not in FUNCTIONS


@pytest.mark.parametrize("name", LATER["DatasetClient"])
def test_what_comes_later_of_the_dataset_client_is_not_half_there(name):
    assert not hasattr(crant_core.DatasetClient, name)


def test_every_public_name_has_a_description():
    for name in crant_core.__all__:
        assert inspect.getdoc(getattr(crant_core, name)), name


def _explained(function: Any) -> set[str]:
    """Return the names in the section Parameters of a docstring, those of its margin only."""
    found = re.search(r"^Parameters\n-+\n(.*?)(?=^\w[\w ]*\n-+\n|\Z)", inspect.getdoc(function) or "", re.M | re.S)
    lines = re.findall(r"^(\*{0,2}\w+(?:, \*{0,2}\w+)*)(?: :.*)?$", found[1] if found else "", re.MULTILINE)
    return {name.lstrip("*") for line in lines for name in line.split(", ")}


@pytest.mark.parametrize("name", [name for name in crant_core.__all__ if inspect.isfunction(getattr(crant_core, name))])
def test_every_argument_of_a_public_function_is_explained(name: str) -> None:
    function = getattr(crant_core, name)
    assert set(inspect.signature(function).parameters) <= _explained(function)
