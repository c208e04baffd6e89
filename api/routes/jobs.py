"""Submitting jobs and looking at them."""

from __future__ import annotations

import hashlib
from typing import Annotated, Any

from fastapi import APIRouter, Header, Query, Response
from pydantic import ValidationError

from api.deps import IdentityDep, JobDep, ServicesDep, ViewerDep, require
from api.errors import invalid_parameters
from api.services import Services
from api.views import job_view
from crant_core.jobs.model import ItemState, JobState, Scope
from crant_core.jobs.repository.jobs import NewJob
from crant_core.jobs.wire import AttemptView, ItemPage, ItemView, JobPage, JobRequest, JobView, Problem
from crant_core.kinds.base import IdParameters, KindSpec
from crant_core.kinds.registry import get_kind
from crant_core.times import parse_at

router = APIRouter(prefix="/v1/jobs", tags=["jobs"], responses={"4XX": {"model": Problem}})

_MAX_PAGE = 1000


@router.post("", status_code=202)
def submit_job(
    request: JobRequest,
    response: Response,
    services: ServicesDep,
    identity: IdentityDep,
    idempotency_key: Annotated[str | None, Header(max_length=255)] = None,
) -> JobView:
    """Accept a job. With an Idempotency-Key, sending the same request again gives the same job."""
    require(identity, Scope.SUBMIT)
    new = _new_job(services, request, identity.owner, idempotency_key)
    job, is_new = services.jobs.submit(new)
    response.headers["Location"] = f"/v1/jobs/{job.id}"
    response.headers["Retry-After"] = "1"
    if not is_new:
        response.headers["Idempotent-Replay"] = "true"
    return job_view(services, job)


def _new_job(services: Services, request: JobRequest, owner: str, key: str | None) -> NewJob:
    kind, dataset, at = get_kind(request.kind), services.dataset(request.dataset), parse_at(request.at)
    parameters = _parameters(kind, request.params)
    return NewJob(
        kind=kind.name,
        code_version=kind.code_version,
        dataset=dataset.name,
        parameters=parameters.model_dump(mode="json", exclude={"ids"}),
        ids=parameters.ids,
        at=at.text,
        owner=owner,
        body_hash=hashlib.sha256(request.model_dump_json().encode()).hexdigest(),
        label=request.label,
        priority=request.priority,
        idempotency_key=key,
    )


def _parameters(kind: KindSpec, params: dict[str, Any]) -> IdParameters:
    try:
        return kind.parameters.model_validate(params)
    except ValidationError as error:
        raise invalid_parameters(error, "params") from error


@router.get("")
def list_jobs(
    services: ServicesDep,
    viewer: ViewerDep,
    state: JobState | None = None,
    before: Annotated[int | None, Query(ge=1)] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> JobPage:
    """List jobs, newest first."""
    rows = services.jobs.recent(viewer, before=before, limit=limit, state=state)
    more = f"/v1/jobs?before={rows[-1].number}&limit={limit}" if len(rows) == limit else None
    if more and state:
        more += f"&state={state}"
    return JobPage(jobs=[job_view(services, row) for row in rows], next=more)


@router.get("/{job_id}")
def get_job(services: ServicesDep, job: JobDep) -> JobView:
    """Look at one job."""
    return job_view(services, job)


@router.get("/{job_id}/items")
def list_items(
    services: ServicesDep,
    job: JobDep,
    state: ItemState | None = None,
    after: Annotated[int, Query(ge=-1)] = -1,
    limit: Annotated[int, Query(ge=1, le=_MAX_PAGE)] = 100,
) -> ItemPage:
    """List a job's items in input order; there are none before it is planned."""
    rows = services.jobs.items(job.id, after=after, limit=limit, state=state)
    more = f"/v1/jobs/{job.id}/items?after={rows[-1].position}&limit={limit}" if len(rows) == limit else None
    if more and state:
        more += f"&state={state}"
    return ItemPage(items=[ItemView.model_validate(row) for row in rows], next=more)


@router.get("/{job_id}/attempts")
def list_attempts(services: ServicesDep, job: JobDep) -> list[AttemptView]:
    """List the latest tries at this job's units: who, when, how each ended."""
    return [AttemptView.model_validate(row) for row in services.jobs.attempts(job.id)]
