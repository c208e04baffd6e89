"""The dashboard's pages."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, FastAPI, Path, Query, Request
from fastapi.responses import Response
from fastapi.staticfiles import StaticFiles

from api.dashboard import failures, signin
from api.dashboard.job import data_uri, job_page, progress_of
from api.dashboard.pages import STATIC, Pages, PagesDep
from api.deps import ServicesDep, ViewerDep
from api.services import Services
from crant_core.jobs.model import JobState
from crant_core.kinds.registry import get_kind

_PER_PAGE = 50
_FIRST_KIND = "skeletonize"  # what most people come for

router = APIRouter(include_in_schema=False)
JobId = Annotated[str, Path(max_length=32)]


def mount_dashboard(app: FastAPI) -> None:
    """Add the pages, what they are made of, and pages for their errors. Comes after `api.errors.install`."""
    pages = app.state.pages = Pages()
    app.include_router(router)
    app.include_router(signin.router)
    app.mount("/static", StaticFiles(directory=STATIC))
    failures.install(app, pages)


@router.get("/")
def list_jobs(
    services: ServicesDep,
    viewer: ViewerDep,
    pages: PagesDep,
    state: JobState | None = None,
    before: Annotated[int | None, Query(ge=1)] = None,
) -> Response:
    """Show jobs, newest first."""
    jobs, now = services.jobs.recent(viewer, before=before, limit=_PER_PAGE + 1, state=state), services.database.now()
    shown = jobs[:_PER_PAGE]
    return pages.page(
        "jobs.html",
        viewer=viewer,
        rows=[(job, progress_of(job, now)) for job in shown],
        older=shown[-1].number if len(jobs) > _PER_PAGE else None,
        state=state,
        states=list(JobState),
        before=before,
        first_command=_first_command(services),
        now=now,
    )


@router.get("/jobs/{job_id}")
def show_job(services: ServicesDep, viewer: ViewerDep, pages: PagesDep, job_id: JobId) -> Response:
    """Show one job, live while it works."""
    return pages.page("job.html", viewer=viewer, page=job_page(services, viewer, job_id), picture=None, service="")


@router.get("/jobs/{job_id}/report")
def show_report(request: Request, services: ServicesDep, viewer: ViewerDep, pages: PagesDep, job_id: JobId) -> Response:
    """Show one job as a document that can be kept: style and picture are inside, links lead to this service."""
    page = job_page(services, viewer, job_id)
    return pages.document(
        "report.html",
        f"crant-{job_id}.html",
        page=page,
        picture=data_uri(services, page.picture),
        service=str(request.base_url).rstrip("/"),
    )


def _first_command(services: Services) -> str:
    """Write a command line that works here: on a dataset set up for this service, or else on the first preset."""
    kind = get_kind(_FIRST_KIND)
    ids: list[str] = kind.parameters.model_validate(kind.example).model_dump(mode="json")["ids"]
    dataset = (services.settings.datasets or services.datasets())[0]
    return f"crant submit {kind.name} {' '.join(ids)} --dataset {dataset.name} --at mat --watch"
