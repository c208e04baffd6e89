"""Pages on which a schedule is made or changed: its kind's form, and a timetable with the slots that follow from it."""

from __future__ import annotations

import hashlib
import secrets
from typing import Any

from fastapi import APIRouter
from fastapi.responses import RedirectResponse, Response
from pydantic import ValidationError

from api.dashboard import timing
from api.dashboard.forms import Filled, fields_of, filled_from
from api.dashboard.idforms import IDS, SentDep, kept_list, parameters_with_ids, settled
from api.dashboard.pages import Pages, PagesDep
from api.dashboard.schedules import ScheduleId
from api.dashboard.submit import usual_dataset
from api.dashboard.visitors import ChangerDep, Visitor, VisitorDep, as_visitor
from api.deps import IdentityDep, ServicesDep, viewer_of
from api.errors import problem_from
from api.parameters import INPUT
from api.schedules import new_schedule, preview
from api.services import Services
from crant_core.errors import CrantError
from crant_core.jobs.schedule_tables import ScheduleRow
from crant_core.jobs.schedule_wire import PreviewView, ScheduleRequest
from crant_core.kinds.base import KindSpec
from crant_core.kinds.checking import invalid_parameters
from crant_core.kinds.registry import all_kinds, get_kind

router = APIRouter(include_in_schema=False)

_ABOUT = ("dataset", "at", "label", "priority")


@router.get("/schedules/new")
def choose_kind(visitor: VisitorDep, pages: PagesDep) -> Response:
    """Show the kinds of jobs that can be made again and again."""
    return pages.page("schedule_kinds.html", viewer=visitor, kinds=list(all_kinds().values()))


@router.get("/schedules/new/{kind}")
def show_empty(services: ServicesDep, visitor: VisitorDep, pages: PagesDep, kind: str) -> Response:
    """Show an empty form."""
    return _form(services, pages, visitor, get_kind(kind), None)


@router.post("/schedules/new/{kind}")
def send_new(services: ServicesDep, changer: ChangerDep, pages: PagesDep, kind: str, sent: SentDep) -> Response:
    """Say when it would run, or make the schedule."""
    spec, visitor, filled = get_kind(kind), as_visitor(changer), sent.fields
    try:
        filled = settled(services, sent)
        request = _request(spec, filled, None)
        new = new_schedule(services, request, changer.owner)
        if filled.get("do") != ["submit"]:
            return _form(services, pages, visitor, spec, None, filled=filled, coming=preview(services, request))
        key = (filled.get("key") or [""])[0] or None
        digest = hashlib.sha256(request.model_dump_json().encode()).hexdigest()
        made, _ = services.schedules.create(new, changer.owner, body_hash=digest, idempotency_key=key)
    except CrantError as error:
        return _form(services, pages, visitor, spec, None, filled=filled, error=error)
    return RedirectResponse(f"/schedules/{made.id}", 303)


@router.get("/schedules/{schedule_id}/edit")
def show_filled(
    services: ServicesDep, identity: IdentityDep, visitor: VisitorDep, pages: PagesDep, schedule_id: ScheduleId
) -> Response:
    """Show the form as the schedule says it, to those who may change it."""
    schedule = services.schedules.get(schedule_id, viewer_of(identity))
    return _form(services, pages, visitor, get_kind(schedule.kind), schedule)


@router.post("/schedules/{schedule_id}/edit")
def send_changed(
    services: ServicesDep, changer: ChangerDep, pages: PagesDep, schedule_id: ScheduleId, sent: SentDep
) -> Response:
    """Say when it would run, or change the schedule."""
    schedule = services.schedules.get(schedule_id, viewer_of(changer))
    spec, visitor, filled = get_kind(schedule.kind), as_visitor(changer), sent.fields
    try:
        filled = settled(services, sent)
        request = _request(spec, filled, schedule)
        new = new_schedule(services, request, schedule.owner)
        if filled.get("do") != ["submit"]:
            return _form(services, pages, visitor, spec, schedule, filled=filled, coming=preview(services, request))
        services.schedules.change(schedule.id, new)
    except CrantError as error:
        return _form(services, pages, visitor, spec, schedule, filled=filled, error=error)
    return RedirectResponse(f"/schedules/{schedule.id}", 303)


def _request(kind: KindSpec, filled: Filled, schedule: ScheduleRow | None) -> ScheduleRequest:
    about = {name: filled[name][0].strip() for name in _ABOUT if filled.get(name) and filled[name][0].strip()}
    params = parameters_with_ids(kind, filled)
    if schedule is not None and INPUT not in params and not params.get(IDS):  # left empty: as it was
        params = {name: value for name, value in params.items() if name != IDS} | {INPUT: schedule.input_id}
    job = {"dataset": "", **about, "kind": kind.name, "params": params, "reuse": bool(filled.get("reuse"))}
    when = timing.timing_from(filled, schedule.notify if schedule else [])
    try:
        return ScheduleRequest.model_validate({"name": "", **when, "job": job})
    except ValidationError as error:
        raise invalid_parameters(error) from error


def _form(
    services: Services,
    pages: Pages,
    visitor: Visitor,
    kind: KindSpec,
    schedule: ScheduleRow | None,
    *,
    filled: Filled | None = None,
    coming: PreviewView | None = None,
    error: CrantError | None = None,
) -> Response:
    problem = problem_from(error) if error else None
    said = filled or _first(services, kind, schedule)
    return pages.page(
        "schedule_form.html",
        problem.status if problem else 200,
        viewer=visitor,
        kind=kind,
        schedule=schedule,
        given=services.inputs.count(schedule.input_id) if schedule else 0,
        fields=fields_of(kind, said if filled or schedule else None),
        kept=kept_list(services, filled),
        datasets=services.datasets(),
        about={name: (said.get(name) or [""])[0] for name in _ABOUT},
        reuse=bool(said.get("reuse")),
        when=timing.shown(said),
        timing=timing,
        key=secrets.token_hex(16),  # sent twice by impatience, it is one schedule
        coming=coming,
        problem=problem,
    )


def _first(services: Services, kind: KindSpec, schedule: ScheduleRow | None) -> dict[str, list[str]]:
    """Return what a form says before anybody filled it in."""
    about: dict[str, Any] = {"dataset": usual_dataset(services), "at": "live", "priority": 0, "reuse": "on"}
    if schedule is not None:
        about = {name: getattr(schedule, name) for name in _ABOUT} | {"reuse": "on" if schedule.reuse else ""}
    of_job = {name: [str(value)] for name, value in about.items() if value != ""}
    of_kind = filled_from(kind, schedule.parameters) if schedule else {}
    return {**of_kind, **of_job, **timing.filled_timing(schedule)}
