"""The object store: mesh fragments, world-readable as on the real servers."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from crant_core.sandbox import surfaces, world
from crant_core.sandbox.meshing import fragment_name

# cloud-files shares connections between forked processes, which then read each other's bytes: never keep one alive.
_CLOSE = {"Connection": "close"}


async def stored_object(request: Request) -> Response:
    """Give one object, or 404 for the many that clients only try (`mesh/info`: the meshes are not sharded)."""
    neuron = _fragments().get(request.path_params["path"])
    if neuron is None:
        return PlainTextResponse("not found", status_code=404, headers=_CLOSE)
    data = surfaces.encode_fragment(surfaces.read_surface(neuron.body_id))
    return Response(data, media_type="application/octet-stream", headers=_CLOSE)


def _fragments() -> dict[str, world.Neuron]:
    return {f"{world.TABLE}/mesh/{fragment_name(neuron.root_id)}": neuron for neuron in world.NEURONS}


ROUTES = [Route("/gcs/{path:path}", stored_object)]
