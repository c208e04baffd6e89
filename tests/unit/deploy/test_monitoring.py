"""Alerts and dashboard ask for what there is."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import promql_parser
import pytest
import yaml

from crant_core.jobs.metrics import DISTRIBUTIONS, EVERY, OF_API

ROOT = Path(__file__).parents[3]
FOLDER = ROOT / "deploy" / "monitoring"
RULES = [rule for group in yaml.safe_load((FOLDER / "alerts.yml").read_text())["groups"] for rule in group["rules"]]
PANELS: list[dict[str, Any]] = json.loads((FOLDER / "dashboard.json").read_text())["panels"]
QUERIES = [rule["expr"] for rule in RULES] + [target["expr"] for panel in PANELS for target in panel["targets"]]
_SUFFIXES = ("_bucket", "_sum", "_count")
_OF_PROMETHEUS = {"up", "job"}


def metric_of(name: str) -> str:
    for suffix in _SUFFIXES:
        if (base := name.removesuffix(suffix)) in {**DISTRIBUTIONS, **OF_API}:
            return base
    return name


@pytest.mark.parametrize("query", QUERIES)
def test_every_metric_and_label_that_is_asked_for_exists(query: str) -> None:
    names = re.findall(r"\bcrant_\w+", query)
    assert names or "up{" in query
    for name in names:
        assert metric_of(name) in EVERY, name
    labels = {label for name in names for label in EVERY[metric_of(name)].labels} | {"le"} | _OF_PROMETHEUS
    asked = re.findall(r'(\w+)\s*(?:=~|!~|!=|=)\s*"', query)
    asked += [word.strip() for words in re.findall(r"(?:by|on) \(([^)]*)\)", query) for word in words.split(",")]
    assert set(asked) <= labels


@pytest.mark.parametrize("query", QUERIES)
def test_prometheus_own_grammar_accepts_it(query: str) -> None:
    promql_parser.parse(query)


def test_every_metric_is_on_the_dashboard() -> None:
    shown = {metric_of(name) for query in QUERIES for name in re.findall(r"\bcrant_\w+", query)}
    assert shown == set(EVERY)


def test_panels_do_not_lie_on_each_other() -> None:
    places = {(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in PANELS}
    assert len(places) == len({panel["id"] for panel in PANELS}) == len(PANELS)


def test_every_alert_says_how_bad_it_is_and_where_help_is() -> None:
    runbook = (ROOT / "docs" / "runbook.md").read_text()
    headings = {
        re.sub(r"[^a-z0-9 -]", "", line.lstrip("# ").lower()).replace(" ", "-") for line in runbook.splitlines()
    }
    for rule in RULES:
        assert rule["labels"]["severity"] in ("page", "ticket", "info")
        assert rule["annotations"]["runbook"] in headings, rule["alert"]
