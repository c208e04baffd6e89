"""Pages about schedules: all of them, one of them, and the buttons there."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from fastapi import APIRouter, Path, Query
from fastapi.responses import RedirectResponse, Response

from api.dashboard.pages import PagesDep
from api.dashboard.visitors import ChangerDep, VisitorDep
from api.deps import ServicesDep, viewer_of
from api.schedules import changed, new_schedule, run_of, schedule_view, schedule_views
from api.services import Services
from crant_core.errors import Conflict
from crant_core.jobs.repository.ticks import BEAT
from crant_core.jobs.schedule_tables import ScheduleRow
from crant_core.jobs.schedule_wire import SchedulePatch

router = APIRouter(include_in_schema=False)

_SHOWN = 20  #: runs, and slots left out, on a schedule's page
_MOST = 500  #: schedules on one page
ScheduleId = Annotated[str, Path(max_length=32)]


class Action(StrEnum):
    """What the buttons of a schedule do."""

    RUN = "run"
    ENABLE = "enable"
    DISABLE = "disable"
    DELETE = "delete"


@router.get("/schedules")
def list_schedules(services: ServicesDep, visitor: VisitorDep, pages: PagesDep) -> Response:
    """Show all schedules with their next and last runs."""
    rows = services.schedules.all(visitor, limit=_MOST)
    return pages.page(
        "schedules.html",
        viewer=visitor,
        schedules=schedule_views(services, rows),
        is_silent=services.ticks.is_silent(BEAT, services.settings.tick_seconds),
        now=services.database.now(),
    )


@router.get("/schedules/{schedule_id}")
def show_schedule(
    services: ServicesDep,
    visitor: VisitorDep,
    pages: PagesDep,
    schedule_id: ScheduleId,
    *,
    late: Annotated[str, Query(max_length=16)] = "",
) -> Response:
    """Show one schedule: when it runs next, what its runs came to, and what was left out."""
    schedule = services.schedules.get(schedule_id, visitor)
    runs = services.schedules.runs(schedule.id, limit=_SHOWN)
    return pages.page(
        "schedule.html",
        viewer=visitor,
        view=schedule_view(services, schedule, runs[0] if runs else None),
        runs=runs,
        skips=services.schedules.skips(schedule.id, limit=_SHOWN),
        late=late,
        now=services.database.now(),
    )


@router.post("/schedules/{schedule_id}/{action}")
def act(services: ServicesDep, changer: ChangerDep, schedule_id: ScheduleId, action: Action) -> Response:
    """Do what the API's route does, and show the page that is of use then."""
    schedule = services.schedules.get(schedule_id, viewer_of(changer))
    if action is Action.DELETE:
        services.schedules.delete(schedule.id)
        return RedirectResponse("/schedules", 303)
    if action is Action.RUN:
        return _run(services, schedule)
    request = changed(services, schedule, SchedulePatch(enabled=action is Action.ENABLE))
    services.schedules.change(schedule.id, new_schedule(services, request, schedule.owner))
    return RedirectResponse(f"/schedules/{schedule.id}", 303)


def _run(services: Services, schedule: ScheduleRow) -> Response:
    try:
        job, _ = services.firing.run_now(schedule, run_of(services, schedule, None))
    except Conflict:
        return RedirectResponse(f"/schedules/{schedule.id}?late=run", 303)
    return RedirectResponse(f"/jobs/{job.id}", 303)
