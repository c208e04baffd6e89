"""CAVE's skeleton service, as far as caveclient's `client.skeleton` speaks it; see `api.skeletoncache`.

from caveclient.skeletonservice import SkeletonClient
SkeletonClient("https://crant.lab", datastack, AuthClient(token="crant_…"), over_client=client)
"""

from __future__ import annotations

import asyncio
import gzip
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Path, Request
from fastapi.responses import JSONResponse, PlainTextResponse, Response
from pydantic import BaseModel, Field
from starlette.concurrency import run_in_threadpool

from api import skeletons
from api.deps import IdentityDep, ServicesDep, ViewerDep, require
from api.skeletoncache import SkeletonCache, dataset_of
from crant_core.errors import InvalidInput, SkeletonNotMade, SourceUnavailable, TooManyIds
from crant_core.ids import RootId, parse_id
from crant_core.jobs.model import JobState, Scope
from crant_core.jobs.repository.tokens import Identity
from crant_core.jobs.tables import ArtifactRow, JobRow
from crant_core.jobs.wire import Problem

RELEASE = "0.23.11"  #: of SkeletonService, whose answers these are like
VERSIONS = [-1, 4]  #: of skeletons: the latest, and its number
_WAIT_SECONDS = 590.0  #: CAVE's proxy lets callers wait for 600
_LOOK_SECONDS = 0.5
_MOST_AT_ONCE, _MOST_CACHED, _MOST_ORDERED = 10, 500, 10_000

Format = Literal["flatdict", "swccompressed", "precomputed"]
Version = Annotated[int, Path(description="Of the skeleton: -1 or 4")]

router = APIRouter(prefix="/skeletoncache/api", tags=["skeletons"], responses={"4XX": {"model": Problem}})


class Wanted(BaseModel):
    """Root ids, with what caveclient sends along."""

    root_ids: list[RootId] = Field(max_length=_MOST_ORDERED)
    skeleton_version: int = 4
    generate_missing: bool = False
    verbose_level: int = 0


def get_cache(services: ServicesDep, viewer: ViewerDep, datastack: str) -> SkeletonCache:
    """Return the skeletons of the datastack in the path."""
    return SkeletonCache(services, dataset_of(services, datastack))


CacheDep = Annotated[SkeletonCache, Depends(get_cache)]


@router.get("/version")
def get_version() -> str:
    """Say which release of SkeletonService this is like."""
    return RELEASE


@router.get("/versions")
def list_versions() -> list[int]:
    """List the versions of skeletons."""
    return VERSIONS


@router.get("/v1/{datastack}/precomputed/skeleton/info", response_class=JSONResponse)
def get_info(cache: CacheDep) -> Response:
    """Describe the skeletons as Neuroglancer's."""
    return Response(skeletons.info({"dataset": cache.dataset.name}), media_type="application/json")


@router.get("/v1/{datastack}/precomputed/skeleton/get_refusal_list", response_class=Response)
def get_refusal_list(cache: CacheDep) -> Response:
    """List ids that are refused; there are none, as every id that fails says why in its job."""
    return Response(gzip.compress(b"", mtime=0), media_type="application/octet-stream")


@router.get("/v1/{datastack}/precomputed/skeleton/{skvn}/info", response_class=JSONResponse)
def get_versioned_info(cache: CacheDep, skvn: Version) -> Response:
    """Describe the skeletons of a version."""
    _check(skvn)
    return get_info(cache)


@router.post("/v1/{datastack}/precomputed/skeleton/exists")
def exist(cache: CacheDep, wanted: Wanted) -> dict[str, bool]:
    """Say which skeletons are ready."""
    _check(wanted.skeleton_version)
    found = cache.find(wanted.root_ids)
    return {str(root): root in found for root in wanted.root_ids}


@router.get("/v1/{datastack}/precomputed/skeleton/{skvn}/{root}/{form}", response_class=Response)
@router.get("/v1/{datastack}/async/get_skeleton/{skvn}/{root}/{form}", response_class=Response)
async def get_skeleton(
    request: Request, *, cache: CacheDep, identity: IdentityDep, skvn: Version, root: str, form: Format
) -> Response:
    """Give one skeleton; if there is none yet, order it and wait until it is made."""
    _check(skvn)
    number = parse_id(root)
    file = (await run_in_threadpool(cache.find, [number])).get(number)
    if file is None:
        file = await _made(request, cache, identity, number)
    data = await run_in_threadpool(_encoded, cache, number, file, form)
    return Response(data, media_type="application/octet-stream")


async def _made(request: Request, cache: SkeletonCache, identity: Identity, root: int) -> ArtifactRow:
    require(identity, Scope.SUBMIT)
    job = await run_in_threadpool(cache.order, [root], identity.owner)
    loop = asyncio.get_running_loop()
    until = loop.time() + _WAIT_SECONDS
    while loop.time() < until and not await request.is_disconnected():
        found = await run_in_threadpool(cache.find, [root])
        if root in found:
            return found[root]
        await run_in_threadpool(_refuse_failed, cache, job, root)
        await asyncio.sleep(_LOOK_SECONDS)
    raise SourceUnavailable(f"the skeleton of {root} is still being made", value=root, hint=_where(job))


def _refuse_failed(cache: SkeletonCache, job: JobRow, root: int) -> None:
    """Raise what became of a skeleton that could not be made."""
    services = cache.services
    now = services.stored.job_of_key(job.owner, job.idempotency_key or "") or job
    item = services.stored.item(job.id, str(root))
    if item is not None and item.error_code and JobState(now.state).ended:
        raise SkeletonNotMade(f"{item.error_code}: {item.error_message}", value=root, hint=_where(job))
    if JobState(now.state).ended and now.state != JobState.SUCCEEDED:
        raise SkeletonNotMade(f"{now.error_code or now.state}: {now.error_message or ''}", value=root, hint=_where(job))


def _where(job: JobRow) -> str:
    return f"see /v1/jobs/{job.id}, and POST /v1/jobs/{job.id}/retry to try again"


@router.get("/v1/{datastack}/bulk/get_skeletons/{skvn}/{form}/{generate}/{roots}")
def get_some(
    *, cache: CacheDep, identity: IdentityDep, skvn: Version, form: Format, generate: bool, roots: str
) -> dict[str, str]:
    """Give up to ten skeletons as hex; `async` stands for those that are not there (yet)."""
    _check(skvn)
    wanted = [parse_id(root) for root in roots.split(",")]
    _bound(wanted, _MOST_AT_ONCE)
    found = cache.find(wanted)
    missing = [root for root in wanted if root not in found]
    if generate and missing:
        require(identity, Scope.SUBMIT)
        cache.order(missing, identity.owner)
    return {str(root): _hex(cache, root, found[root], form) if root in found else "async" for root in wanted}


@router.post("/v1/{datastack}/bulk/get_cached_skeletons/{skvn}/{form}")
def get_cached(cache: CacheDep, identity: IdentityDep, skvn: Version, form: Format, wanted: Wanted) -> dict[str, str]:
    """Give those of up to 500 that are ready, as hex, and order the others if asked to."""
    _check(skvn)
    _bound(wanted.root_ids, _MOST_CACHED)
    found = cache.find(wanted.root_ids)
    missing = [root for root in wanted.root_ids if root not in found]
    if wanted.generate_missing and missing:
        require(identity, Scope.SUBMIT)
        cache.order(missing, identity.owner)
    return {str(root): _hex(cache, root, file, form) for root, file in found.items()}


@router.post("/v1/{datastack}/bulk/gen_skeletons", response_class=PlainTextResponse)
def order_some(cache: CacheDep, identity: IdentityDep, wanted: Wanted) -> str:
    """Order those skeletons that are missing, as one job; the answer is how many seconds that takes at most."""
    _check(wanted.skeleton_version)
    require(identity, Scope.SUBMIT)
    found = cache.find(wanted.root_ids)
    missing = [root for root in wanted.root_ids if root not in found]
    if missing:
        cache.order(missing, identity.owner)
    return str(cache.seconds(len(missing)))


def _check(version: int) -> None:
    if version not in VERSIONS:
        raise InvalidInput(f"skeleton version {version} is not served", value=version, hint=f"use one of {VERSIONS}")


def _bound(roots: list[int], most: int) -> None:
    if len(roots) > most:
        hint = f"at most {most} at once; submit a job for more"
        raise TooManyIds(f"{len(roots)} root ids", value=len(roots), hint=hint)


def _encoded(cache: SkeletonCache, root: int, file: ArtifactRow, form: Format) -> bytes:
    store = cache.services.store
    if form == "precomputed":
        return skeletons.precomputed(store, file)
    if form == "swccompressed":
        return gzip.compress(skeletons.swc_um(store, file), compresslevel=3, mtime=0)
    meta: dict[str, object] = {"datastack": cache.dataset.datastack, "skeleton_version": VERSIONS[-1], **file.meta}
    return skeletons.flat(store, file, {"root_id": str(root), **meta})


def _hex(cache: SkeletonCache, root: int, file: ArtifactRow, form: Format) -> str:
    """Write a skeleton as hex; SWC is not compressed there."""
    if form == "swccompressed":
        return skeletons.swc_um(cache.services.store, file).hex()
    return _encoded(cache, root, file, form).hex()
