"""Submitting jobs and looking at them."""

from __future__ import annotations

import hashlib
from datetime import datetime
from typing import Annotated
from urllib.parse import quote

from fastapi import APIRouter, Body, Header, Query, Request, Response

from api import fresh
from api.deps import LARGEST, IdentityDep, JobDep, OwnJobDep, ServicesDep, ViewerDep, require, viewer_of
from api.errors import about
from api.estimates import estimate
from api.examples import examples
from api.parameters import parameters_of, with_all_ids
from api.predecessors import with_skeletons
from api.services import Services
from api.views import job_view, whole_view
from crant_core.errors import InvalidInput, NotFound
from crant_core.jobs.model import ItemState, JobState, Queue, Scope
from crant_core.jobs.notifying import notifications_of
from crant_core.jobs.repository.jobs import NewJob, Viewer
from crant_core.jobs.repository.notifications import NewNotification
from crant_core.jobs.tracing import traceparent
from crant_core.jobs.wire import AttemptView, EstimateView, ItemPage, ItemView, JobPage, JobRequest, JobView, Problem
from crant_core.kinds.registry import get_kind
from crant_core.times import check_past, parse_at

router = APIRouter(prefix="/v1/jobs", tags=["jobs"], responses={"4XX": {"model": Problem}})

_MAX_PAGE = 1000


@router.post("", status_code=202, responses={200: {"model": EstimateView, "description": "Of a dry run"}})
def submit_job(
    request: Annotated[JobRequest, Body(openapi_examples=examples())],
    response: Response,
    services: ServicesDep,
    identity: IdentityDep,
    *,
    idempotency_key: Annotated[str | None, Header(max_length=255)] = None,
    dry_run: Annotated[bool, Query(description="Say what the job would be, and store nothing")] = False,
) -> JobView | EstimateView:
    """Accept a job. With an Idempotency-Key, sending the same request again gives the same job."""
    require(identity, Scope.SUBMIT)
    new = with_skeletons(services, new_job(services, request, viewer_of(identity), idempotency_key))
    if dry_run:
        response.status_code = 200
        return estimate(services, with_all_ids(services, new))
    job, is_new = services.jobs.submit(new)
    response.headers["Location"] = f"/v1/jobs/{job.id}"
    response.headers["Retry-After"] = "1"
    if not is_new:
        response.headers["Idempotent-Replay"] = "true"
    return whole_view(services, job)


def new_job(services: Services, request: JobRequest, owner: Viewer, key: str | None) -> NewJob:
    """Check a request; raises `InvalidInput`."""
    with about("kind"):
        kind = get_kind(request.kind)
    with about("dataset"):
        dataset = services.dataset(request.dataset)
    at = _moment(request)
    with about("params"):
        parameters, input_id = parameters_of(services, kind, request.params)
        if kind.check is not None:
            kind.check(parameters, dataset)
    return NewJob(
        kind=kind.name,
        code_version=kind.code_version,
        dataset=dataset.name,
        parameters=parameters.model_dump(mode="json", exclude={"ids"}),
        ids=parameters.ids,
        input_id=input_id,
        at=at,
        owner=owner.owner,
        body_hash=hashlib.sha256(request.model_dump_json().encode()).hexdigest(),
        label=request.label,
        priority=request.priority,
        idempotency_key=key,
        reuse=request.reuse,
        notify=_notifications(request),
        deadline=_deadline(services, request),
        after=_after(services, request, owner),
        queue=Queue(kind.queue),
        traceparent=traceparent(),
    )


@about("at")
def _moment(request: JobRequest) -> str:
    at = parse_at(request.at)
    check_past(at.timestamp)
    return at.text


@about("notify")
def _notifications(request: JobRequest) -> list[NewNotification]:
    return notifications_of(request.notify)


@about("deadline")
def _deadline(services: Services, request: JobRequest) -> datetime | None:
    if request.deadline is not None and request.deadline <= services.database.now():
        said = request.deadline.isoformat()
        raise InvalidInput(f"the deadline {said} has passed", value=said, hint="give a time to come, with its zone")
    return request.deadline


@about("after")
def _after(services: Services, request: JobRequest, owner: Viewer) -> list[str]:
    try:
        return [services.jobs.get(job_id, owner).id for job_id in request.after]
    except NotFound as error:
        raise InvalidInput(f"after: {error.message}", value=error.value, hint="list yours with GET /v1/jobs") from error


@router.post("/{job_id}/cancel")
def cancel_job(services: ServicesDep, job: OwnJobDep) -> JobView:
    """End a job. What is done stays; work that is going on is stopped within seconds."""
    return whole_view(services, services.control.cancel(job.id))


@router.post("/{job_id}/pause")
def pause_job(services: ServicesDep, job: OwnJobDep) -> JobView:
    """Start nothing new of a job; units that run are done."""
    return whole_view(services, services.control.pause(job.id))


@router.post("/{job_id}/resume")
def resume_job(services: ServicesDep, job: OwnJobDep) -> JobView:
    """Let a paused job go on."""
    return whole_view(services, services.control.resume(job.id))


@router.post("/{job_id}/retry")
def retry_job(services: ServicesDep, job: OwnJobDep) -> JobView:
    """Do again what failed or was cancelled; what succeeded is kept."""
    return whole_view(services, services.control.retry(job.id))


@router.get("")
def list_jobs(
    services: ServicesDep,
    viewer: ViewerDep,
    *,
    state: JobState | None = None,
    parent: Annotated[str | None, Query(max_length=32, description="Only the steps of this job")] = None,
    before: Annotated[int | None, Query(ge=1, le=LARGEST)] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> JobPage:
    """List jobs, newest first."""
    rows = services.jobs.recent(viewer, before=before, limit=limit, state=state, parent=parent)
    more = f"/v1/jobs?before={rows[-1].number}&limit={limit}" if len(rows) == limit else None
    if more:
        more += "".join(f"&{name}={quote(value)}" for name, value in (("state", state), ("parent", parent)) if value)
    return JobPage(jobs=[job_view(services, row) for row in rows], next=more)


@router.get("/{job_id}", response_model=JobView)
def get_job(request: Request, services: ServicesDep, job: JobDep) -> Response:
    """Look at one job; with `If-None-Match`, 304 if nothing changed."""
    return fresh.answer(request, whole_view(services, job))


@router.get("/{job_id}/items")
def list_items(
    services: ServicesDep,
    job: JobDep,
    state: ItemState | None = None,
    after: Annotated[int, Query(ge=-1, le=LARGEST)] = -1,
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
