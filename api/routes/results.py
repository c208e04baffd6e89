"""A job's results as one table, or as one archive."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request
from fastapi.responses import StreamingResponse
from starlette.exceptions import HTTPException

from api.crate import zipped
from api.deps import JobDep, ServicesDep
from api.negotiation import preferred
from api.tables import SUFFIXES, Format, table_of, written
from crant_core.jobs.wire import Problem

router = APIRouter(prefix="/v1/jobs", tags=["jobs"], responses={"4XX": {"model": Problem}})

_NOT_KEPT = {"Cache-Control": "private, no-store", "X-Content-Type-Options": "nosniff"}


@router.get(
    "/{job_id}/results",
    response_class=StreamingResponse,
    responses={200: {"content": {form.value: {} for form in Format}}, 406: {"model": Problem}},
)
def get_results(
    request: Request,
    services: ServicesDep,
    job: JobDep,
    wanted: Annotated[
        Literal["json", "csv", "parquet", "arrow"] | None, Query(alias="format", description="Instead of Accept")
    ] = None,
) -> StreamingResponse:
    """Give one row for each item, with its metrics: JSON, CSV, Parquet or an Arrow stream, as `Accept` asks.

    Rows of items that have not ended are there, without metrics.
    """
    media = SUFFIXES[wanted] if wanted else preferred(request.headers.get("accept", ""), [*Format])
    if media is None:
        raise HTTPException(406, f"results come as {', '.join(Format)}")
    form = Format(media)
    suffix = next(name for name, known in SUFFIXES.items() if known == form)
    headers = {"Vary": "Accept", "Content-Disposition": f'inline; filename="{job.id}.{suffix}"'}
    return StreamingResponse(written(table_of(services, job), form), media_type=form.value, headers=_NOT_KEPT | headers)


@router.get(
    "/{job_id}/archive.zip", response_class=StreamingResponse, responses={200: {"content": {"application/zip": {}}}}
)
def get_archive(services: ServicesDep, job: JobDep) -> StreamingResponse:
    """Give all files of a job as a zip that is an RO-Crate."""
    headers = {"Content-Disposition": f'attachment; filename="{job.id}.zip"'}
    return StreamingResponse(zipped(services, job), media_type="application/zip", headers=_NOT_KEPT | headers)
