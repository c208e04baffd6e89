"""An offline CAVE for the functions on L2 chunks."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from crant_core.datasets import Dataset
from crant_core.l2 import get_l2_info, get_l2_skeleton
from crant_core.registry import register
from tests.fixtures.neurons import live_roots
from tests.fixtures.sandbox import Sandbox, lasting, run_sandbox
from tests.fixtures.toys import toy

__all__ = ["toy"]


@pytest.fixture(scope="package")
def ours() -> Iterator[Sandbox]:
    """An offline CAVE that these tests break and mend, with clients connected."""
    with run_sandbox() as running:
        known = register(lasting(running.dataset), running.token)
        get_l2_info(live_roots()[0], dataset=known)
        get_l2_skeleton(live_roots()[0], refine=False, dataset=known)
        yield running


@pytest.fixture
def dataset(ours: Sandbox, monkeypatch, tmp_path) -> Iterator[Dataset]:
    """It, with an empty log."""
    monkeypatch.setenv("CRANT_CACHE_FOLDER", str(tmp_path))
    found = register(lasting(ours.dataset), ours.token)
    ours.control("DELETE", "log")
    yield found
    ours.control("DELETE", "fault")
