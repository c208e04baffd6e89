"""The skeleton service: cached skeletons at once, others when they are made, several at a time as hex."""

from __future__ import annotations

import asyncio
import gzip
import json
import math
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Mount, Route, Router

from crant_core.sandbox import names
from crant_core.sandbox.live import Sandbox, sandbox
from crant_core.sandbox.services.skeletoncache import formats

_VERSIONS = [-1, 0, 1, 2, 3, 4]
_MOST_CACHED = 500
_MOST_SYNCHRONOUS = 10
_WORKERS, _SECONDS_EACH = 15, 60  # what the real service's estimate counts with


async def version(request: Request) -> Response:
    """Say which release of SkeletonService this imitates."""
    return JSONResponse("0.23.11")


async def versions(request: Request) -> Response:
    """List the skeleton versions."""
    return JSONResponse(_VERSIONS)


async def get_skeleton(request: Request) -> Response:
    """Give one skeleton, waiting until it is made; the payload is gzipped without saying so in a header."""
    known, root = sandbox(request), request.path_params["root"]
    refusal = _refusal(known, root)
    if refusal is not None:
        return refusal
    await asyncio.sleep(known.skeletons.order(root, known.clock.now()))
    data = _encoded(known, root, request.path_params["format"])
    if data is None:
        return JSONResponse({"Error": f"unknown format {request.path_params['format']}"}, status_code=400)
    return Response(data, media_type="application/octet-stream")


def _refusal(known: Sandbox, root: int) -> Response | None:
    if root in known.skeletons.refused:
        return JSONResponse({"Error": f"Problematic root id: {root} is in the refusal list"}, status_code=400)
    problem = formats.problem_with(known, root)
    return JSONResponse({"Error": f"Invalid root id: {root} ({problem})"}, status_code=400) if problem else None


def _encoded(known: Sandbox, root: int, form: str) -> bytes | None:
    if form == "flatdict":
        return formats.as_flatdict(known, root)
    if form == "swccompressed":
        return gzip.compress(formats.as_swc(known, root).encode(), mtime=0)
    return formats.as_precomputed(known, root) if form == "precomputed" else None


async def exist(request: Request) -> Response:
    """Say which skeletons are ready."""
    known, asked = sandbox(request), json.loads(await request.body())["root_ids"]
    now = known.clock.now()
    return JSONResponse({str(root): known.skeletons.has(int(root), now) for root in asked})


async def bulk(request: Request) -> Response:
    """Give up to ten: ready ones as hex, others as a word that says why not; with generation, order the rest."""
    known, form = sandbox(request), request.path_params["format"]
    asked = [int(root) for root in request.path_params["roots"].split(",")][:_MOST_SYNCHRONOUS]
    generate = request.path_params["generate"] == "True"
    return JSONResponse({str(root): _entry(known, root, form, generate=generate) for root in asked})


def _entry(known: Sandbox, root: int, form: str, *, generate: bool) -> str:
    problem = formats.problem_with(known, root)
    if problem:
        return problem
    now = known.clock.now()
    if known.skeletons.has(root, now) or (generate and not known.skeletons.order(root, now)):
        return _hex(known, root, form)
    return "async"


def _hex(known: Sandbox, root: int, form: str) -> str:
    """Write a skeleton as hex; flatdict is gzipped first, SWC is not."""
    is_swc = form == "swccompressed"
    return (formats.as_swc(known, root).encode() if is_swc else formats.as_flatdict(known, root)).hex()


async def cached_bulk(request: Request) -> Response:
    """Give those of up to 500 that are ready, and order the others if asked to."""
    body = json.loads(await request.body())
    if len(body["root_ids"]) > _MOST_CACHED:
        return JSONResponse({"Error": f"at most {_MOST_CACHED} root ids"}, status_code=400)
    known, now = sandbox(request), sandbox(request).clock.now()
    roots = [int(root) for root in body["root_ids"]]
    ready = [root for root in roots if known.skeletons.has(root, now)]
    if body.get("generate_missing"):
        _order_all(known, roots)
    return JSONResponse({str(root): _hex(known, root, request.path_params["format"]) for root in ready})


async def generate_bulk(request: Request) -> Response:
    """Order skeletons; answer the upper estimate in seconds."""
    roots = [int(root) for root in json.loads(await request.body())["root_ids"]]
    _order_all(sandbox(request), roots)
    return PlainTextResponse(str(math.ceil(len(roots) / _WORKERS) * _SECONDS_EACH))


def _order_all(known: Sandbox, roots: list[int]) -> None:
    for root in roots:
        if not formats.problem_with(known, root):
            known.skeletons.order(root, known.clock.now())


async def precomputed_info(request: Request) -> Response:
    """Describe the neuroglancer source."""
    return JSONResponse(formats.precomputed_info())


async def precomputed(request: Request) -> Response:
    """Give a skeleton to neuroglancer."""
    known, root = sandbox(request), request.path_params["root"]
    return _refusal(known, root) or Response(formats.as_precomputed(known, root))


async def query_cache(request: Request) -> Response:
    """List ready skeletons by the beginnings of their root ids."""
    known, limit = sandbox(request), request.path_params["limit"]
    starts = tuple(request.path_params["prefixes"].split(","))
    files = [
        f"{names.DATASTACK}__{root}.h5.gz"
        for root in known.skeletons.ready(known.clock.now())
        if str(root).startswith(starts)
    ]
    found: dict[str, Any] = {"num_found": len(files), "files": files[:limit] if limit else files}
    return JSONResponse(found)


async def refusal_list(request: Request) -> Response:
    """Give the ids that could not be skeletonized, as gzipped CSV."""
    lines = [f"{names.DATASTACK},{root}\n" for root in sorted(sandbox(request).skeletons.refused)]
    return Response(gzip.compress("".join(lines).encode(), mtime=0))


_DATASTACK_ROUTES = [
    Route("/async/get_skeleton/{skvn:int}/{root:int}/{format}", get_skeleton),
    Route("/precomputed/skeleton/exists", exist, methods=["POST"]),
    Route("/precomputed/skeleton/info", precomputed_info),
    Route("/precomputed/skeleton/get_refusal_list", refusal_list),
    Route("/precomputed/skeleton/query_cache/{skvn:int}/{prefixes}/{limit:int}", query_cache),
    Route("/precomputed/skeleton/{skvn:int}/info", precomputed_info),
    Route("/precomputed/skeleton/{skvn:int}/{root:int}", precomputed),
    Route("/precomputed/skeleton/{skvn:int}/{root:int}/{format}", get_skeleton),
    Route("/bulk/get_skeletons/{skvn}/{format}/{generate}/{roots}", bulk),
    Route("/bulk/get_cached_skeletons/{skvn}/{format}", cached_bulk, methods=["POST"]),
    Route("/bulk/gen_skeletons", generate_bulk, methods=["POST"]),
]
ROUTES = [
    Route("/skeletoncache/api/version", version),
    Route("/skeletoncache/api/versions", versions),
    Mount(f"/skeletoncache/api/v1/{names.DATASTACK}", Router(_DATASTACK_ROUTES, redirect_slashes=False)),
]
