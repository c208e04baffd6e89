"""The dashboard's pages."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, FastAPI, Path, Query, Request
from fastapi.responses import JSONResponse, Response
from fastapi.staticfiles import StaticFiles

from api.dashboard import actions, failures, matrix, schedule_form, schedules, signin, submit, system
from api.dashboard.job import ItemsWanted, data_uri, job_page, progress_of
from api.dashboard.pages import STATIC, Pages, PagesDep
from api.dashboard.visitors import VisitorDep
from api.deps import LARGEST, ServicesDep
from api.services import Services
from crant_core.errors import NotFound
from crant_core.jobs.model import ItemState, JobState
from crant_core.jobs.repository.listing import Wanted
from crant_core.kinds.registry import get_kind

_PER_PAGE = 50
_FIRST_KIND = "skeletonize"  # what most people come for

_FOR_EVER = {"Cache-Control": "private, max-age=31536000, immutable"}  # what is in a file never changes

router = APIRouter(include_in_schema=False)
JobId = Annotated[str, Path(max_length=32)]


def mount_dashboard(app: FastAPI) -> None:
    """Add the pages, what they are made of, and pages for their errors. Comes after `api.errors.install`."""
    pages = app.state.pages = Pages()
    app.include_router(router)
    for routes in (actions, submit, schedule_form, schedules, system, signin):  # forms first: "new" is no schedule's id
        app.include_router(routes.router)
    app.mount("/static", StaticFiles(directory=STATIC))
    failures.install(app, pages)


@router.get("/")
def list_jobs(
    services: ServicesDep,
    visitor: VisitorDep,
    pages: PagesDep,
    *,
    state: JobState | Literal[""] | None = None,
    kind: Annotated[str, Query(max_length=64)] = "",
    owner: Annotated[str, Query(max_length=128)] = "",
    before: Annotated[int | None, Query(ge=1, le=LARGEST)] = None,
) -> Response:
    """Show jobs, newest first."""
    wanted = Wanted(state=state or None, kind=kind or None, owner=owner or None)
    jobs, now = services.listing.jobs(visitor, wanted, before=before, limit=_PER_PAGE + 1), services.database.now()
    shown = jobs[:_PER_PAGE]
    return pages.page(
        "jobs.html",
        viewer=visitor,
        rows=[(job, progress_of(job, now)) for job in shown],
        older=shown[-1].number if len(jobs) > _PER_PAGE else None,
        wanted=wanted,
        chosen={name: value for name, value in vars(wanted).items() if value},
        counts=services.listing.counts(visitor, wanted),
        kinds=services.listing.kinds(visitor),
        owners=services.listing.owners(visitor) if visitor.sees_all else [],
        before=before,
        first_command=_first_command(services),
        now=now,
    )


@router.get("/jobs/{job_id}")
def show_job(
    services: ServicesDep,
    visitor: VisitorDep,
    pages: PagesDep,
    job_id: JobId,
    *,
    items: ItemState | None = None,
    after: Annotated[int, Query(ge=-1)] = -1,
    late: Annotated[str, Query(max_length=16)] = "",
) -> Response:
    """Show one job, live while it works."""
    page = job_page(services, visitor, job_id, ItemsWanted(items, after))
    may = actions.actions_in(page.view.state) if visitor.may_change else []
    return pages.page("job.html", viewer=visitor, page=page, actions=may, late=late, picture=None, service="")


@router.get("/jobs/{job_id}/report")
def show_report(
    request: Request, services: ServicesDep, visitor: VisitorDep, pages: PagesDep, job_id: JobId
) -> Response:
    """Show one job as a document that can be kept: style and picture are inside, links lead to this service."""
    page = job_page(services, visitor, job_id)
    return pages.document(
        "report.html",
        f"crant-{job_id}.html",
        page=page,
        actions=[],
        picture=data_uri(services, page.picture),
        service=str(request.base_url).rstrip("/"),
    )


@router.get("/jobs/{job_id}/matrix")
def show_matrix(
    services: ServicesDep,
    visitor: VisitorDep,
    job_id: JobId,
    file: Annotated[str, Query(max_length=255)],
    neuropil: Annotated[str | None, Query(max_length=200)] = None,
) -> Response:
    """Give one matrix of a job to the page that draws it."""
    job = services.jobs.get(job_id, visitor)
    found = services.jobs.artifact(job.id, file)
    if found.meta.get("format") != matrix.FORMAT:
        raise NotFound(f"{file!r} has no matrices", value=file)
    return JSONResponse(matrix.matrix_of(services.store.get(found.sha256), neuropil), headers=_FOR_EVER)


def _first_command(services: Services) -> str:
    """Write a command line that works here: on a dataset set up for this service, or else on the first preset."""
    kind = get_kind(_FIRST_KIND)
    ids: list[str] = kind.parameters.model_validate(kind.example).model_dump(mode="json")["ids"]
    dataset = (services.settings.datasets or services.datasets())[0]
    return f"crant submit {kind.name} {' '.join(ids)} --dataset {dataset.name} --at mat --watch"
