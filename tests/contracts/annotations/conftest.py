"""Datasets whose annotations are in SeaTable, in a CAVE table or in a file."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from crant_core import registry
from crant_core.access import clear_all_caches
from crant_core.datasets import Dataset
from tests.fixtures.sandbox import Sandbox, run_sandbox


@pytest.fixture(autouse=True)
def nothing_remembered(monkeypatch, tmp_path) -> Iterator[None]:
    monkeypatch.setenv("CRANT_CACHE_FOLDER", str(tmp_path / "cache"))
    monkeypatch.delenv("CRANTTABLE_TOKEN", raising=False)
    monkeypatch.setattr("crant_core.sources.seatable._COOLDOWN", 0.01)
    for name in ("_registered", "_tokens", "_annotation_tokens"):
        monkeypatch.setattr(registry, name, {})
    clear_all_caches()
    yield
    clear_all_caches()


@pytest.fixture(scope="package")
def playground() -> Iterator[Sandbox]:
    with run_sandbox() as running:
        yield running


@pytest.fixture
def changing(playground) -> Iterator[Sandbox]:
    """An offline CAVE that a test may change; known as the dataset demo."""
    registry.register(playground.dataset, playground.token)
    yield playground
    playground.control("POST", "profile", {"name": "fast"})
    playground.control("POST", "reset")


@pytest.fixture
def demo(sandbox) -> Dataset:
    return registry.register(sandbox.dataset, sandbox.token)
