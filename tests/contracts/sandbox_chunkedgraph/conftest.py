"""The sandbox's chunkedgraph service with a graph that is made up."""

from __future__ import annotations

from types import SimpleNamespace

import httpx
import pytest
from caveclient import CAVEclient
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route

from crant_core.sandbox.answers import Refusal, refuse
from crant_core.sandbox.clock import Clock
from crant_core.sandbox.services import chunkedgraph
from tests.contracts.sandbox_chunkedgraph.made_up import TABLE, TOKEN, info, make_graph
from tests.fixtures.serving import served


@pytest.fixture(scope="package")
def server():
    app = Starlette(
        routes=[
            Route("/info/version", lambda _: JSONResponse("4.3.3")),
            Route("/info/api/v2/datastack/full/{datastack}", info),
            *chunkedgraph.ROUTES,
        ],
        exception_handlers={Refusal: refuse},
    )
    app.router.redirect_slashes = False
    app.state.sandbox = SimpleNamespace(token=TOKEN, graph=make_graph(), clock=Clock())
    with served(app) as url:
        yield SimpleNamespace(url=url, state=app.state.sandbox)


@pytest.fixture(scope="package")
def cave(server):
    client = CAVEclient("crant_demo", server_address=server.url, auth_token=TOKEN, write_server_cache=False)
    return client.chunkedgraph


@pytest.fixture
def editable(server):
    """A graph that the test may change."""
    before, server.state.graph = server.state.graph, server.state.graph.copy()
    yield server.state.graph
    server.state.graph = before


@pytest.fixture(scope="package")
def http(server):
    with httpx.Client(base_url=server.url + TABLE) as client:
        yield client
