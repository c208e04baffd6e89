"""An offline CAVE for the segmentation functions."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from crant_core import (
    locs_to_segments,
    register,
)
from crant_core.datasets import Dataset
from crant_core.sources import watershed
from tests.contracts.segmentation.places import place
from tests.fixtures.sandbox import Sandbox, lasting, run_sandbox


@pytest.fixture(scope="package")
def ours() -> Iterator[Sandbox]:
    """An offline CAVE that nobody else asks."""
    with run_sandbox() as running:
        yield running


@pytest.fixture
def dataset(ours: Sandbox, monkeypatch, tmp_path) -> Dataset:
    """It, with nothing remembered of what is in it."""
    monkeypatch.setenv("CRANT_CACHE_FOLDER", str(tmp_path))
    watershed.forget()
    return register(lasting(ours.dataset), ours.token)


@pytest.fixture
def cave(ours: Sandbox, dataset: Dataset) -> Sandbox:
    """It, with clients connected and an empty log."""
    locs_to_segments([place()], dataset=dataset)
    watershed.forget()
    ours.control("DELETE", "log")
    return ours
