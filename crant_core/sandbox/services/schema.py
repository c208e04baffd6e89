"""The schema service: which kinds of annotations there are; anyone may ask."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from crant_core.sandbox.answers import Refusal
from crant_core.sandbox.schemas import SCHEMAS


async def versions(request: Request) -> Response:
    """List the API versions."""
    return JSONResponse([1, 2])


async def types(request: Request) -> Response:
    """List the names of the schemas."""
    return JSONResponse(list(SCHEMAS))


async def definition(request: Request) -> Response:
    """Describe one schema."""
    return JSONResponse(_definition(request.path_params["name"]))


async def definitions(request: Request) -> Response:
    """Describe the schemas named in `schema_names`, separated by commas."""
    wanted = [name for name in request.query_params.get("schema_names", "").split(",") if name]
    return JSONResponse({name: _definition(name) for name in wanted})


async def all_definitions(request: Request) -> Response:
    """Describe all schemas."""
    return JSONResponse({name: _definition(name) for name in SCHEMAS})


def _definition(name: str) -> dict[str, Any]:
    if name not in SCHEMAS:
        raise Refusal(404, f"type {name} is not a known annotation type")
    return SCHEMAS[name].json_schema()


ROUTES = [
    Route("/schema/versions", versions),
    *(
        route
        for prefix in ("/schema", "/schema/api/v2")
        for route in (Route(f"{prefix}/type", types), Route(f"{prefix}/type/{{name}}", definition))
    ),
    Route("/schema/api/v2/types", definitions, methods=["POST"]),
    Route("/schema/api/v2/types_all", all_definitions),
]
