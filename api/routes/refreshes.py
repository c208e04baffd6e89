"""What changed between two refreshes."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request, Response
from fastapi.responses import HTMLResponse, JSONResponse

from api.deps import JobDep, ServicesDep, ViewerDep
from api.diffs import difference, page_of
from crant_core.jobs.wire import Problem

router = APIRouter(prefix="/v1/jobs", tags=["jobs"], responses={"4XX": {"model": Problem}})


@router.get(
    "/{job_id}/diff/{other_id}",
    response_model=dict[str, Any],
    responses={200: {"content": {"text/html": {}}, "description": "JSON, or a page if that is asked for"}},
)
def diff_jobs(  # noqa: PLR0917 - FastAPI's way
    request: Request,
    services: ServicesDep,
    viewer: ViewerDep,
    job: JobDep,
    other_id: Annotated[str, Path(max_length=32, description="The later run")],
    shown: Annotated[int, Query(ge=1, le=10_000, description="Of each sort of change so many at most")] = 50,
) -> Response:
    """Say what changed from one refresh (the first) to another: neurons, skeletons, synapses, connections, matrices."""
    told = difference(services, viewer, job, services.jobs.get(other_id, viewer), shown)
    if "text/html" in request.headers.get("accept", ""):
        return HTMLResponse(page_of(told))
    return JSONResponse(told)
