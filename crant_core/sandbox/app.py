"""The sandbox's services behind one door, as one ASGI application."""

from __future__ import annotations

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from crant_core.sandbox import bucket, chunkedgraph, info, materialization, meshing
from crant_core.sandbox.answers import Refusal, refuse
from crant_core.sandbox.auth import TokenAuth


async def health(request: Request) -> Response:
    """Say that the sandbox runs; needs no token."""
    return PlainTextResponse("ok")


def create_app(token: str) -> Starlette:
    """Assemble the offline CAVE.

    Parameters
    ----------
    token : str
        The one token it accepts: 32 hexadecimal digits, the form caveclient and cloud-volume insist on.
    """
    services = (info, chunkedgraph, materialization, meshing, bucket)
    app = Starlette(
        routes=[Route("/healthz", health), *(route for service in services for route in service.ROUTES)],
        middleware=[Middleware(TokenAuth, token=token)],
        exception_handlers={Refusal: refuse},
    )
    # caveclient reads any redirect as a missing token.
    app.router.redirect_slashes = False
    return app
