"""Pages about the service as a whole: workers and queues, storage."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from datetime import timedelta

from fastapi import APIRouter
from fastapi.responses import Response

from api.dashboard.pages import PagesDep
from api.dashboard.visitors import Visitor, VisitorDep
from api.deps import ServicesDep
from api.services import Services
from crant_core.jobs.tables import JobRow

router = APIRouter(include_in_schema=False)


@dataclass(frozen=True, kw_only=True)
class Queue:
    """Units of one job that are not done; of jobs that one may not see, all together without a job."""

    job: JobRow | None
    running: int
    offered: int  #: in the broker
    due: int  #: not offered yet


@router.get("/workers")
def show_workers(services: ServicesDep, visitor: VisitorDep, pages: PagesDep) -> Response:
    """Show who works, and what waits."""
    return pages.page(
        "workers.html",
        viewer=visitor,
        workers=services.overview.workers(),
        queues=queues(services, visitor),
        is_offered=services.jobs.work_is_offered(),
        flower=services.settings.flower_url,
        now=services.database.now(),
    )


def queues(services: Services, visitor: Visitor) -> list[Queue]:
    """List jobs with work that is not done, and what is others' last."""
    stale = services.database.now() - timedelta(seconds=services.settings.rehint_seconds)
    load = services.overview.load(window=services.settings.window, stale=stale)
    places = load.running, load.offered, load.waiting
    everybodys = sorted({job_id for place in places for job_id in place})
    shown = services.overview.named(visitor, everybodys)
    rest = [job_id for job_id in everybodys if job_id not in {job.id for job in shown}]
    found = [(job, [place.get(job.id, 0) for place in places]) for job in shown]
    others = [(None, [sum(place.get(job_id, 0) for job_id in rest) for place in places])] if rest else []
    return [
        Queue(job=job, running=running, offered=offered, due=due) for job, (running, offered, due) in [*found, *others]
    ]


@router.get("/storage")
def show_storage(services: ServicesDep, visitor: VisitorDep, pages: PagesDep) -> Response:
    """Show how much room the files of jobs take."""
    folder = services.store.folder
    return pages.page(
        "storage.html",
        viewer=visitor,
        storage=services.overview.storage(visitor),
        disk=shutil.disk_usage(folder) if folder and folder.is_dir() else None,
        now=services.database.now(),
    )
