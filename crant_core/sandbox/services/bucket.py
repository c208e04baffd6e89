"""The object store at `/gcs`: world-readable, byte ranges, objects stored compressed, as on the real servers."""

from __future__ import annotations

import re
from collections.abc import Callable

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from crant_core.sandbox import names
from crant_core.sandbox.live import Sandbox, sandbox
from crant_core.sandbox.objects import exports, imagery, meshes, nuclei, segmentation
from crant_core.sandbox.objects.stored import Stored

# cloud-files shares connections between forked processes, which then read each other's bytes: never keep one alive.
_HEADERS = {"Connection": "close", "Access-Control-Allow-Origin": "*", "Accept-Ranges": "bytes"}
_RANGE = re.compile(r"bytes=(\d+)-(\d*)")


async def stored_object(request: Request) -> Response:
    """Give one object, or part of it, or 404 for the many that clients only try."""
    found = find(sandbox(request), request.path_params["path"])
    if found is None:
        return PlainTextResponse("not found", status_code=404, headers=_headers(request))
    encoding = {"Content-Encoding": found.encoding} if found.encoding else {}
    wanted = _RANGE.fullmatch(request.headers.get("range", ""))
    if wanted is None:
        return Response(found.data, headers=_headers(request) | encoding, media_type=found.media_type)
    return _part(found, int(wanted[1]), int(wanted[2] or len(found.data) - 1), _headers(request) | encoding)


def _part(found: Stored, first: int, last: int, headers: dict[str, str]) -> Response:
    size = len(found.data)
    if first >= size:
        return Response(status_code=416, headers=headers | {"Content-Range": f"bytes */{size}"})
    last = min(last, size - 1)
    extent = {"Content-Range": f"bytes {first}-{last}/{size}"}
    return Response(found.data[first : last + 1], 206, headers | extent, found.media_type)


def _headers(request: Request) -> dict[str, str]:
    headers = dict(_HEADERS)
    if sandbox(request).keep_alive:
        del headers["Connection"]
    return headers


def find(known: Sandbox, path: str) -> Stored | None:
    """Return the object at a path, None if there is none."""
    folder, _, rest = path.partition("/")
    finder = _FOLDERS.get(folder)
    return finder(known, rest) if finder else None


def _segmentation(known: Sandbox, path: str) -> Stored | None:
    if path.startswith("mesh/"):
        return meshes.find(known.anatomy, path.removeprefix("mesh/"))
    return segmentation.find(known.world, path)


def _unsharded(known: Sandbox, path: str) -> Stored | None:
    if path.startswith("mesh/"):
        return meshes.find_plain(known.anatomy, path.removeprefix("mesh/"))
    return segmentation.find(known.world, path)


_FOLDERS: dict[str, Callable[[Sandbox, str], Stored | None]] = {
    names.TABLE: _segmentation,
    names.UNSHARDED_TABLE: _unsharded,
    "em": lambda known, path: imagery.find(known.world, known.synapse_centres, path),
    "neuropils": lambda known, path: meshes.find_neuropil(known.world, path),
    "tissue_mesh": lambda known, path: meshes.find_brain(known.world, path),
    "nucleus": lambda known, path: nuclei.find(known.world, path),
    "exports": lambda known, path: exports.find(known.world, path),
}

ROUTES = [Route("/gcs/{path:path}", stored_object, methods=["GET", "HEAD"])]
