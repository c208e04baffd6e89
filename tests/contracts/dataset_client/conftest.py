"""One dataset's client against the sandbox, over HTTP with the real caveclient."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from crant_core.access import register
from crant_core.dataset_client import DatasetClient
from tests.fixtures.sandbox import Sandbox, run_sandbox


@pytest.fixture
def client(sandbox: Sandbox) -> DatasetClient:
    register(sandbox.dataset, sandbox.token)
    return DatasetClient.of(sandbox.dataset)


@pytest.fixture(scope="package")
def changing() -> Iterator[Sandbox]:
    """An offline CAVE that these tests change and mend."""
    with run_sandbox() as running:
        yield running


@pytest.fixture
def own(changing: Sandbox) -> Iterator[Sandbox]:
    yield changing
    changing.control("DELETE", "fault")
    changing.control("POST", "reset")


@pytest.fixture
def own_client(own: Sandbox) -> DatasetClient:
    register(own.dataset, own.token)
    return DatasetClient.of(own.dataset)
