"""The state service: keeps what neuroglancer shows, under a number that makes a short link."""

from __future__ import annotations

import json

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from crant_core.sandbox.answers import Refusal, base_url
from crant_core.sandbox.state import state


async def version(request: Request) -> Response:
    """Say which release of the state server this imitates."""
    return JSONResponse("0.7.2")


async def post_scene(request: Request) -> Response:
    """Keep a scene; answer its address."""
    return await _keep(request, state(request).links.scenes, "")


async def post_properties(request: Request) -> Response:
    """Keep segment properties; answer their address."""
    return await _keep(request, state(request).links.properties, "property/")


async def get_scene(request: Request) -> Response:
    """Return a scene as it was sent."""
    return _kept(request, state(request).links.scenes)


async def get_properties(request: Request) -> Response:
    """Return segment properties as they were sent."""
    return _kept(request, state(request).links.properties)


async def _keep(request: Request, shelf: dict[int, bytes], folder: str) -> Response:
    body = await request.body()
    try:
        json.loads(body)
    except ValueError as error:
        raise Refusal(400, f"not JSON: {error}") from error
    number = request.path_params.get("number") or state(request).links.new_id()
    shelf[number] = body
    return JSONResponse(f"{base_url(request)}/nglstate/api/v1/{folder}{number}")


def _kept(request: Request, shelf: dict[int, bytes]) -> Response:
    number = request.path_params["number"]
    if number not in shelf:
        raise Refusal(500, f"no state has the id {number}")  # the real one fails over it too
    return Response(shelf[number], media_type="application/json")


ROUTES = [
    Route("/nglstate/api/v1/version", version),
    *(
        route
        for prefix in ("/nglstate/api/v1", "/nglstate")
        for route in (
            Route(f"{prefix}/post", post_scene, methods=["POST"]),
            Route(f"{prefix}/post/{{number:int}}", post_scene, methods=["POST"]),
            Route(f"{prefix}/{{number:int}}", get_scene),
            Route(f"{prefix}/raw/{{number:int}}", get_scene),
        )
    ),
    Route("/nglstate/api/v1/property/post", post_properties, methods=["POST"]),
    Route("/nglstate/api/v1/property/post/{number:int}", post_properties, methods=["POST"]),
    Route("/nglstate/api/v1/property/{number:int}/info", get_properties),
    Route("/nglstate/api/v1/property/raw/{number:int}", get_properties),
]
