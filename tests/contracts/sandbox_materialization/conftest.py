"""The sandbox's materialization service with tables that are made up."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from caveclient import CAVEclient
from starlette.applications import Starlette

from crant_core.sandbox import names
from crant_core.sandbox.state import State
from crant_core.sources import caches
from tests.contracts.sandbox_materialization.made_up import _app
from tests.fixtures.serving import served
from tests.unit.crant_core.sandbox.tables.example import (
    TOKEN,
    world,
)


@pytest.fixture(scope="package")
def app() -> Starlette:
    return _app(world())


@pytest.fixture(scope="package")
def url(app: Starlette) -> Iterator[str]:
    with served(app) as address:
        yield address


@pytest.fixture
def state(app: Starlette) -> State:
    """A fresh world behind the running server."""
    app.state.sandbox = world()
    return app.state.sandbox


@pytest.fixture
def client(url: str, state: State) -> CAVEclient:
    caches.forget()  # they are global, and know tables by name only, and clients by an address that may be used again
    return CAVEclient(names.DATASTACK, server_address=url, auth_token=TOKEN, write_server_cache=False)


@pytest.fixture
def mat(client: CAVEclient):
    return client.materialize
