"""An offline CAVE, bare clients of it and ours."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from crant_core.sources.cave import CaveSource
from tests.fixtures.sandbox import Sandbox, run_sandbox


@pytest.fixture(scope="package")
def ours() -> Iterator[Sandbox]:
    """An offline CAVE that this module's tests break and mend."""
    with run_sandbox() as running:
        yield running


@pytest.fixture
def cave(ours: Sandbox) -> Iterator[Sandbox]:
    yield ours
    ours.control("DELETE", "fault")
    ours.control("POST", "bucket", {"keep_alive": False})


@pytest.fixture
def source(cave: Sandbox) -> CaveSource:
    return CaveSource(cave.dataset, cave.token)
