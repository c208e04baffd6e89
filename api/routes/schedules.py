"""Schedules: jobs that are made again and again."""

from __future__ import annotations

import hashlib
from typing import Annotated

from fastapi import APIRouter, Body, Depends, Header, Path, Query, Request, Response

from api import fresh
from api.deps import LARGEST, IdentityDep, ServicesDep, ViewerDep, require, viewer_of
from api.examples import schedules as examples
from api.schedules import changed, new_schedule, preview, run_of, run_view, schedule_view, schedule_views
from api.services import Services
from api.views import whole_view
from crant_core.jobs.model import Scope
from crant_core.jobs.schedule_tables import ScheduleRow
from crant_core.jobs.schedule_wire import (
    PreviewView,
    RunPage,
    SchedulePage,
    SchedulePatch,
    ScheduleRequest,
    ScheduleView,
    SkipPage,
    SkipView,
)
from crant_core.jobs.wire import JobView, Problem

router = APIRouter(prefix="/v1/schedules", tags=["schedules"], responses={"4XX": {"model": Problem}})

ScheduleId = Annotated[str, Path(max_length=32)]
Limit = Annotated[int, Query(ge=1, le=200)]
Before = Annotated[int | None, Query(ge=1, le=LARGEST)]


def get_schedule(services: ServicesDep, viewer: ViewerDep, schedule_id: ScheduleId) -> ScheduleRow:
    """Return the schedule in the path, if the caller may see it."""
    return services.schedules.get(schedule_id, viewer)


def get_own_schedule(services: ServicesDep, identity: IdentityDep, schedule_id: ScheduleId) -> ScheduleRow:
    """Return the schedule in the path, if the caller may change it."""
    require(identity, Scope.SUBMIT)
    return services.schedules.get(schedule_id, viewer_of(identity))


ScheduleDep = Annotated[ScheduleRow, Depends(get_schedule)]
OwnScheduleDep = Annotated[ScheduleRow, Depends(get_own_schedule)]


@router.post("", status_code=201, responses={200: {"model": PreviewView, "description": "Of a dry run"}})
def create_schedule(
    request: Annotated[ScheduleRequest, Body(openapi_examples=examples())],
    response: Response,
    services: ServicesDep,
    identity: IdentityDep,
    *,
    idempotency_key: Annotated[str | None, Header(max_length=255)] = None,
    dry_run: Annotated[bool, Query(description="Say when runs would be, and store nothing")] = False,
) -> ScheduleView | PreviewView:
    """Make a schedule. With an Idempotency-Key, sending the same request again gives the same schedule."""
    require(identity, Scope.SUBMIT)
    new = new_schedule(services, request, identity.owner)
    if dry_run:
        response.status_code = 200
        return preview(services, request)
    body_hash = hashlib.sha256(request.model_dump_json().encode()).hexdigest()
    schedule, is_new = services.schedules.create(
        new, identity.owner, body_hash=body_hash, idempotency_key=idempotency_key
    )
    response.headers["Location"] = f"/v1/schedules/{schedule.id}"
    if not is_new:
        response.headers["Idempotent-Replay"] = "true"
    return _view(services, schedule)


@router.get("")
def list_schedules(
    services: ServicesDep, viewer: ViewerDep, after: Annotated[int, Query(ge=0, le=LARGEST)] = 0, limit: Limit = 50
) -> SchedulePage:
    """List schedules, in the order in which they were made."""
    rows = services.schedules.all(viewer, after=after, limit=limit)
    more = f"/v1/schedules?after={rows[-1].number}&limit={limit}" if len(rows) == limit else None
    return SchedulePage(schedules=schedule_views(services, rows), next=more)


@router.get("/{schedule_id}", response_model=ScheduleView)
def show_schedule(request: Request, services: ServicesDep, schedule: ScheduleDep) -> Response:
    """Look at one schedule; with `If-None-Match`, 304 if nothing changed."""
    return fresh.answer(request, _view(services, schedule))


@router.patch("/{schedule_id}")
def change_schedule(services: ServicesDep, schedule: OwnScheduleDep, patch: SchedulePatch) -> ScheduleView:
    """Change a schedule; it counts from the next slot on, without a restart of anything.

    A change of the timetable, enabling included, lets slots count from now.
    """
    request = changed(services, schedule, patch)
    row = services.schedules.change(schedule.id, new_schedule(services, request, schedule.owner))
    return _view(services, row)


@router.delete("/{schedule_id}", status_code=204)
def delete_schedule(services: ServicesDep, schedule: OwnScheduleDep) -> Response:
    """Remove a schedule. Its runs stay, and what runs goes on."""
    services.schedules.delete(schedule.id)
    return Response(status_code=204)


@router.post("/{schedule_id}/run", status_code=202)
def run_schedule(
    response: Response,
    services: ServicesDep,
    schedule: OwnScheduleDep,
    *,
    idempotency_key: Annotated[str | None, Header(max_length=255)] = None,
) -> JobView:
    """Make a run now, besides those at slots; what the schedule says of overlaps holds, `skip` as an error."""
    job, is_new = services.firing.run_now(schedule, run_of(services, schedule, idempotency_key))
    response.headers["Location"] = f"/v1/jobs/{job.id}"
    if not is_new:
        response.headers["Idempotent-Replay"] = "true"
    return whole_view(services, job)


@router.get("/{schedule_id}/runs")
def list_runs(services: ServicesDep, schedule: ScheduleDep, before: Before = None, limit: Limit = 50) -> RunPage:
    """List the jobs that a schedule made, newest first."""
    rows = services.schedules.runs(schedule.id, before=before, limit=limit)
    more = f"/v1/schedules/{schedule.id}/runs?before={rows[-1].number}&limit={limit}" if len(rows) == limit else None
    return RunPage(runs=[run_view(row) for row in rows], next=more)


@router.get("/{schedule_id}/skips")
def list_skips(services: ServicesDep, schedule: ScheduleDep, before: Before = None, limit: Limit = 50) -> SkipPage:
    """List the slots that made no job and why, latest first."""
    rows = services.schedules.skips(schedule.id, before=before, limit=limit)
    more = f"/v1/schedules/{schedule.id}/skips?before={rows[-1].id}&limit={limit}" if len(rows) == limit else None
    return SkipPage(skips=[SkipView.model_validate(row) for row in rows], next=more)


def _view(services: Services, schedule: ScheduleRow) -> ScheduleView:
    return schedule_view(services, schedule, services.schedules.last_runs([schedule.id]).get(schedule.id))
