"""The sandbox's services behind one door, as one ASGI application."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from pydantic import ValidationError
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from crant_core.sandbox import edits
from crant_core.sandbox.answers import Refusal, refuse
from crant_core.sandbox.auth import TokenAuth
from crant_core.sandbox.faults import routes as fault_routes
from crant_core.sandbox.faults.middleware import Faults
from crant_core.sandbox.graph.operations import EditRefused
from crant_core.sandbox.live import Sandbox
from crant_core.sandbox.services import (
    annotation,
    authservice,
    bucket,
    chunkedgraph,
    control,
    info,
    l2cache,
    materialization,
    meshing,
    nglstate,
    schema,
    seatable,
    skeletoncache,
)

_SERVICES = (
    info, authservice, chunkedgraph, meshing, materialization, l2cache, skeletoncache, annotation, schema, nglstate,
    seatable, bucket, control, fault_routes,
)  # fmt: skip


async def health(request: Request) -> Response:
    """Say that the sandbox runs; needs no token."""
    return PlainTextResponse("ok")


def create_app(sandbox: Sandbox) -> Starlette:
    """Put all services in front of a running sandbox."""
    app = Starlette(
        routes=[Route("/healthz", health), *(route for service in _SERVICES for route in service.ROUTES)],
        middleware=[
            Middleware(Faults, controller=sandbox.faults),
            Middleware(TokenAuth, state=sandbox),
        ],
        exception_handlers={
            Refusal: refuse,
            ValidationError: control.invalid,
            EditRefused: control.refused,
        },
        lifespan=_lifespan,
    )
    app.state.sandbox = sandbox
    # caveclient reads any redirect as a missing token.
    app.router.redirect_slashes = False
    return app


@asynccontextmanager
async def _lifespan(app: Starlette) -> AsyncIterator[None]:
    """Keep what happens by itself going: the storm of edits, while a profile asks for one."""
    storm = asyncio.create_task(edits.storm(app.state.sandbox))
    yield
    storm.cancel()
    with suppress(asyncio.CancelledError):
        await storm
