"""An offline CAVE for the identity functions, which they may edit."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from crant_core.datasets import Dataset
from crant_core.registry import register
from tests.fixtures.sandbox import Sandbox, lasting, run_sandbox
from tests.fixtures.toys import toy

__all__ = ["toy"]


@pytest.fixture(scope="package")
def running() -> Iterator[Sandbox]:
    with run_sandbox() as started:
        yield started


@pytest.fixture
def dataset(running, tmp_path, monkeypatch) -> Dataset:
    """A dataset in an offline CAVE, and an empty store."""
    monkeypatch.setenv("CRANT_CACHE_FOLDER", str(tmp_path))
    return register(lasting(running.dataset), running.token)


@pytest.fixture
def cave(running, dataset) -> Iterator[Sandbox]:
    """The same CAVE, which a test may change."""
    running.control("DELETE", "log")
    yield running
    running.control("POST", "reset")
