"""The meshing service: which fragments make up a neuron's surface."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from crant_core.sandbox import layout, world
from crant_core.sandbox.answers import Refusal


async def manifest(request: Request) -> Response:
    """List a root's fragments; a root without a mesh has none, and that is a 200."""
    if request.path_params["table"] != world.TABLE:
        raise Refusal(500, f"table {request.path_params['table']} does not exist")
    root_id = request.path_params["root"]
    fragments = [fragment_name(root_id)] if root_id in world.ROOT_IDS else []
    return JSONResponse({"fragments": fragments, "seg_ids": [root_id for _ in fragments]})


def fragment_name(root_id: int) -> str:
    """Name a root's only fragment: id, detail, and the extent of its chunk in voxels (which ignores the offset)."""
    chunks = 2 ** (layout.N_LAYERS - 2)
    return f"{root_id}:0:" + "_".join(f"0-{size * chunks}" for size in layout.CHUNK_SIZE)


ROUTES = [Route("/meshing/api/v1/table/{table}/manifest/{root:int}:{lod:int}", manifest)]
