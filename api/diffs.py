"""Two runs of a refresh compared: read from their files, and followed through the runs between them."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from api.services import Services
from crant_core.errors import InvalidInput, NotFound
from crant_core.jobs.repository.jobs import Viewer
from crant_core.jobs.tables import JobRow

if TYPE_CHECKING:
    from crant_core.refresh.run import Run

_LONGEST = 1000  #: runs between two that are followed


def difference(services: Services, viewer: Viewer, before: JobRow, after: JobRow, shown: int) -> dict[str, Any]:
    """Say what changed between two runs; see `crant_core.refresh.telling`.

    `lineage` says how ids were followed: through every run between the two, or by what the later one knows alone.

    Raises
    ------
    InvalidInput
        They are of different datasets.
    NotFound
        One of them is no refresh, or has not ended well.
    """
    from crant_core.refresh.comparing import compare
    from crant_core.refresh.telling import as_json

    if before.dataset != after.dataset:
        message = f"job {before.id} is of {before.dataset}, job {after.id} of {after.dataset}"
        raise InvalidInput(message, value=after.dataset, hint="compare refreshes of one dataset")
    runs = _run(services, before), _run(services, after)
    lineage = _lineage(services, viewer, before, after)
    return as_json(compare(runs[0], runs[1], lineage), shown) | {
        "lineage": "later run" if lineage is None else "every run"
    }


def page_of(told: Mapping[str, Any]) -> str:
    """Write a difference as a page."""
    from crant_core.refresh.page import page

    return page(told)


def _lineage(
    services: Services, viewer: Viewer, before: JobRow, after: JobRow
) -> Mapping[int, tuple[int, float]] | None:
    """Put the lineages of all runs from one to the other together; None if the one is not before the other."""
    from crant_core.refresh.comparing import chained

    found: list[Mapping[int, tuple[int, float]]] = []
    job: JobRow | None = after
    while job is not None and job.id != before.id and len(found) < _LONGEST:
        found.insert(0, _run(services, job).lineage)
        job = _previous(services, viewer, job)
    if job is None or job.id != before.id:
        return None
    together: dict[int, tuple[int, float]] = {}
    for lineage in found:
        together = chained(together, lineage)
    return together


def _previous(services: Services, viewer: Viewer, job: JobRow) -> JobRow | None:
    try:
        return services.jobs.get(job.previous_id, viewer) if job.previous_id else None
    except NotFound:  # it was purged
        return None


def _run(services: Services, job: JobRow) -> Run:
    from crant_core.refresh.run import read

    try:
        return read(partial(_file, services, job))
    except NotFound as error:
        hint = "list refreshes that have ended with GET /v1/jobs"
        raise NotFound(f"job {job.id} is no refresh that can be compared", value=job.id, hint=hint) from error


def _file(services: Services, job: JobRow, name: str) -> bytes:
    return services.store.get(services.jobs.artifact(job.id, name).sha256)
