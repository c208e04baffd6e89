"""Schedules between HTTP and the database: requests are checked as jobs are, and rows are described for people."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from pydantic import ValidationError

from api.parameters import INPUT
from api.predecessors import with_skeletons
from api.routes.jobs import new_job
from api.services import Services
from crant_core.errors import InvalidParameters
from crant_core.jobs.model import Queue
from crant_core.jobs.notifying import notifications_of
from crant_core.jobs.repository.firing import job_of
from crant_core.jobs.repository.jobs import NewJob, Viewer
from crant_core.jobs.repository.notifications import masked
from crant_core.jobs.repository.schedules import NewSchedule
from crant_core.jobs.schedule_tables import ScheduleRow
from crant_core.jobs.schedule_wire import (
    PreviewView,
    RunView,
    SchedulePatch,
    ScheduleRequest,
    ScheduleView,
    SlotView,
    TemplateView,
)
from crant_core.jobs.slots import begins, check_jitter, dealt_with, read_timetable, timetable_of
from crant_core.jobs.tables import JobRow
from crant_core.jobs.timetable import Timetable, jittered, read_zone, upcoming
from crant_core.jobs.wire import JobCounts, JobProblem, JobRequest, Link
from crant_core.kinds.base import MAX_INLINE_IDS
from crant_core.kinds.checking import checked_again, invalid_parameters

SHOWN = 5  #: slots to come
_TIMING = ("name", "cron", "zone", "every_seconds", "jitter_seconds", "enabled", "overlap", "catch_up")
_TEMPLATE = ("at", "label", "priority", "reuse")


def new_schedule(services: Services, request: ScheduleRequest, owner: str) -> NewSchedule:
    """Check a request as if its first job was submitted now.

    Raises
    ------
    InvalidInput
    """
    _timetable(services, request)
    job = with_skeletons(services, new_job(services, JobRequest(**vars(request.job)), Viewer(owner=owner), None))
    if job.after:
        hint = "wait until it has; the schedule's runs work on what it made"
        raise InvalidParameters(f"job.params: job {job.after[0]} has not ended yet", value=job.after[0], hint=hint)
    return NewSchedule(
        kind=job.kind,
        dataset=job.dataset,
        parameters={name: value for name, value in request.job.params.items() if name not in ("ids", INPUT)},
        ids=job.ids,
        input_id=job.input_id,
        at=job.at,
        **{name: getattr(request.job, name) for name in _TEMPLATE if name != "at"},
        **{name: getattr(request, name) for name in _TIMING},
        notify=[vars(one) for one in notifications_of(request.notify)],
    )


def changed(services: Services, schedule: ScheduleRow, patch: SchedulePatch) -> ScheduleRequest:
    """Say what a schedule would be with some fields changed.

    Raises
    ------
    InvalidInput
    """
    wanted = {name: getattr(patch, name) for name in patch.model_fields_set}
    now = as_request(services, schedule)
    if wanted.get("cron") is not None:
        now["every_seconds"] = None
    if wanted.get("every_seconds") is not None:
        now["cron"] = None
    if (template := wanted.pop("job", None)) is not None:
        now["job"] |= template
    try:
        return ScheduleRequest.model_validate(now | wanted)
    except ValidationError as error:
        raise invalid_parameters(error) from error


def as_request(services: Services, schedule: ScheduleRow) -> dict[str, Any]:
    """Write a schedule as the request that would make it."""
    ids = {INPUT: schedule.input_id} if services.inputs.count(schedule.input_id) else {}
    template = {name: getattr(schedule, name) for name in ("kind", "dataset", *_TEMPLATE)}
    timing = {name: getattr(schedule, name) for name in (*_TIMING, "notify")}
    return timing | {"job": template | {"params": {**schedule.parameters, **ids}}}


def run_of(services: Services, schedule: ScheduleRow, key: str | None) -> NewJob:
    """Describe a run of a schedule, checked by its kind as it is now.

    Raises
    ------
    InvalidInput
    """
    services.dataset(schedule.dataset)
    ids = services.inputs.ids(schedule.input_id, MAX_INLINE_IDS)
    kind, parameters = checked_again(schedule.kind, schedule.parameters, ids)
    return job_of(schedule, kind.code_version, Queue(kind.queue), parameters, owner=schedule.owner, key=key)


def preview(services: Services, request: ScheduleRequest) -> PreviewView:
    """Say when the runs of a schedule would be, if it was made now."""
    timetable, now = _timetable(services, request), services.database.now()
    jitter = timedelta(seconds=request.jitter_seconds)
    slots = upcoming(timetable, now, SHOWN)
    return PreviewView(next_runs=[_slot(slot, request.zone, jittered(slot, jitter, request.name)) for slot in slots])


def schedule_view(services: Services, schedule: ScheduleRow, last_run: JobRow | None) -> ScheduleView:
    """Describe a schedule for people, with the ways on from it."""
    fields = {name: getattr(schedule, name) for name in ScheduleView.model_fields if hasattr(schedule, name)}
    code = schedule.error_code
    return ScheduleView(
        **fields | {"notify": [{**one, "url": masked(one["url"])} for one in schedule.notify]},
        job=_template(services, schedule),
        next_runs=_next_runs(schedule, services.database.now()),
        last_run=last_run and run_view(last_run),
        problem=JobProblem(code=code, message=schedule.error_message or "") if code else None,
        links=_links(schedule),
    )


def schedule_views(services: Services, schedules: Sequence[ScheduleRow]) -> list[ScheduleView]:
    """Describe some schedules."""
    last = services.schedules.last_runs(schedule.id for schedule in schedules)
    return [schedule_view(services, schedule, last.get(schedule.id)) for schedule in schedules]


def run_view(job: JobRow) -> RunView:
    """Describe a job as its schedule's run."""
    fields = {name: getattr(job, name) for name in RunView.model_fields if hasattr(job, name)}
    return RunView(**fields, job=job.id, counts=JobCounts.model_validate(job))


def _timetable(services: Services, request: ScheduleRequest) -> Timetable:
    now = services.database.now()
    timetable = read_timetable(request.cron, request.zone, request.every_seconds, now)
    check_jitter(timetable, request.jitter_seconds, now)
    read_zone(request.zone)
    return timetable


def _next_runs(schedule: ScheduleRow, now: datetime) -> list[SlotView]:
    """List the slots to come; one that has come and waits for somebody to look is the first."""
    if schedule.next_slot is None:
        return []
    slots = upcoming(timetable_of(schedule), dealt_with(schedule), SHOWN)
    return [_slot(slot, schedule.zone, begins(schedule)(slot)) for slot in slots]


def _slot(slot: datetime, zone: str, begins_at: datetime) -> SlotView:
    return SlotView(slot=slot, local=slot.astimezone(read_zone(zone)).isoformat(), begins_at=begins_at)


def _template(services: Services, schedule: ScheduleRow) -> TemplateView:
    fields = {name: getattr(schedule, name) for name in ("kind", "dataset", *_TEMPLATE)}
    given = services.inputs.count(schedule.input_id)
    return TemplateView(**fields, params=schedule.parameters, input=schedule.input_id, given=given)


def _links(schedule: ScheduleRow) -> list[Link]:
    here = f"/v1/schedules/{schedule.id}"
    links = [Link(rel="self", href=here), Link(rel="alternate", href=f"/schedules/{schedule.id}")]
    return links + [Link(rel=name, href=f"{here}/{name}") for name in ("runs", "skips")]
