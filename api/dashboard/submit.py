"""Pages on which a job is made: choose a kind, fill in its form, see what it would be, submit it."""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Query
from fastapi.responses import RedirectResponse, Response
from pydantic import ValidationError

from api.dashboard.forms import Filled, fields_of
from api.dashboard.idforms import SentDep, kept_list, parameters_with_ids, settled
from api.dashboard.pages import Pages, PagesDep
from api.dashboard.visitors import ChangerDep, Visitor, VisitorDep, as_visitor
from api.deps import ServicesDep
from api.errors import problem_from
from api.routes.jobs import submit_job
from api.services import Services
from crant_core.errors import CrantError
from crant_core.jobs.wire import EstimateView, JobRequest, JobView
from crant_core.kinds.base import KindSpec
from crant_core.kinds.checking import invalid_parameters
from crant_core.kinds.registry import all_kinds, get_kind

router = APIRouter(include_in_schema=False)

_KEY, _DO = "key", "do"
_BETWEEN_JOBS = re.compile(r"[\s,;]+")
_ZONE = re.compile(r"(Z|[+-]\d\d:?\d\d)$")
_ABOUT_JOB = ("dataset", "at", "label", "priority", "deadline", "after")


@router.get("/new")
def choose_kind(visitor: VisitorDep, pages: PagesDep) -> Response:
    """Show the kinds of jobs."""
    return pages.page("kinds.html", viewer=visitor, kinds=list(all_kinds().values()))


@router.get("/new/{kind}")
def show_form(
    services: ServicesDep, visitor: VisitorDep, pages: PagesDep, kind: str, like: Annotated[str, Query()] = ""
) -> Response:
    """Show an empty form."""
    return _form(services, pages, visitor, get_kind(kind))


@router.post("/new/{kind}")
def send_form(services: ServicesDep, changer: ChangerDep, pages: PagesDep, kind: str, sent: SentDep) -> Response:
    """Say what the job would be, or submit it; what is wrong is said beside the form."""
    spec, visitor, filled = get_kind(kind), as_visitor(changer), sent.fields
    is_check = filled.get(_DO) != ["submit"]
    try:
        filled = settled(services, sent)
        request, key = _request(spec, filled), (filled.get(_KEY) or [""])[0]
        answer = submit_job(request, Response(), services, changer, idempotency_key=key or None, dry_run=is_check)
    except CrantError as error:
        return _form(services, pages, visitor, spec, filled, error=error)
    if isinstance(answer, JobView):
        return RedirectResponse(f"/jobs/{answer.id}", 303)
    return _form(services, pages, visitor, spec, filled, estimate=answer)


def _request(kind: KindSpec, filled: Filled) -> JobRequest:
    about = {name: filled[name][0].strip() for name in _ABOUT_JOB if filled.get(name) and filled[name][0].strip()}
    try:
        return JobRequest.model_validate(
            {
                **about,
                "dataset": about.get("dataset", ""),
                "kind": kind.name,
                "params": parameters_with_ids(kind, filled),
                "reuse": bool(filled.get("reuse")),
                **_order(about),
            }
        )
    except ValidationError as error:
        raise invalid_parameters(error) from error


def _order(about: Mapping[str, str]) -> dict[str, Any]:
    """Read when a job must end and what it comes after; a time without a zone is UTC, as the form says."""
    given: dict[str, Any] = {"after": _BETWEEN_JOBS.split(about["after"])} if "after" in about else {}
    if "deadline" in about:
        given["deadline"] = about["deadline"] if _ZONE.search(about["deadline"]) else f"{about['deadline']}Z"
    return given


def _form(
    services: Services,
    pages: Pages,
    visitor: Visitor,
    kind: KindSpec,
    filled: Filled | None = None,
    *,
    estimate: EstimateView | None = None,
    error: CrantError | None = None,
) -> Response:
    problem = problem_from(error) if error else None
    first = filled or {"dataset": [usual_dataset(services)], "at": ["live"], "priority": ["0"], "reuse": ["on"]}
    return pages.page(
        "form.html",
        problem.status if problem else 200,
        viewer=visitor,
        kind=kind,
        kinds=list(all_kinds().values()),
        fields=fields_of(kind, filled),
        kept=kept_list(services, filled),
        datasets=services.datasets(),
        about={name: (first.get(name) or [""])[0] for name in _ABOUT_JOB},
        reuse=bool(first.get("reuse")),
        key=secrets.token_hex(16),  # sent twice by impatience, it is one job
        estimate=estimate,
        problem=problem,
    )


def usual_dataset(services: Services) -> str:
    """Name the dataset set up for this service, or else the first preset."""
    return (services.settings.datasets or services.datasets())[0].name
