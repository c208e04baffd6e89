"""Turns rows into what goes over HTTP."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from api.services import Services
from api.skeletons import makes_skeletons
from crant_core.jobs.repository.notifications import masked
from crant_core.jobs.tables import JobRow, NotificationRow
from crant_core.jobs.wire import JobCounts, JobProblem, JobView, Link, NotifyView, SpentView
from crant_core.kinds.registry import get_kind


def job_view(services: Services, job: JobRow) -> JobView:
    """Describe a job for people, with the ways on from it."""
    fields = {name: getattr(job, name) for name in JobView.model_fields if hasattr(job, name)}
    return JobView(
        **fields,
        params=job.parameters,
        given=services.jobs.input_count(job),
        counts=JobCounts.model_validate(job),
        after=services.jobs.after(job.id),
        notify=[_notification(row) for row in services.notifications.of_job(job.id)],
        errors=services.jobs.error_counts(job.id) if job.failed else {},
        problem=JobProblem(code=job.error_code, message=job.error_message or "") if job.error_code else None,
        links=_links(services, job),
    )


def whole_view(services: Services, job: JobRow) -> JobView:
    """Describe one job, with what it took: that is added up over its attempts, which is too much for lists."""
    spent = SpentView.model_validate(services.pipelines.spent(job.id))
    return job_view(services, job).model_copy(update={"spent": spent})


def _notification(row: NotificationRow) -> NotifyView:
    fields = ("changed_percent", "state", "attempts", "error", "sent_at")
    said: dict[str, Any] = {name: getattr(row, name) for name in fields}
    return NotifyView(url=masked(row.url), on=row.events.split(), **said)


def _links(services: Services, job: JobRow) -> list[Link]:
    here = f"/v1/jobs/{job.id}"
    links = [Link(rel="self", href=here), Link(rel="alternate", href=f"/jobs/{job.id}")]
    links += [Link(rel=name, href=f"{here}/{name}") for name in ("items", "events", "results", "artifacts", "attempts")]
    if job.parent_id:
        links.append(Link(rel="up", href=f"/v1/jobs/{job.parent_id}"))
    if get_kind(job.kind).is_pipeline:
        links.append(Link(rel="steps", href=f"/v1/jobs?parent={job.id}"))
    links.append(Link(rel="archive", href=f"{here}/archive.zip"))
    if job.share_key and makes_skeletons(job.parameters):
        source = f"/precomputed/jobs/{job.id}~{job.share_key}"
        links += [Link(rel="precomputed", href=source), Link(rel="neuroglancer", href=f"{source}/neuroglancer")]
    if services.settings.flower_url:
        found_by = quote(f"{job.kind} {job.id}")  # Flower takes "name" and reads what follows as further words
        monitor = f"{services.settings.flower_url}/tasks?name={found_by}"
        links.append(Link(rel="monitor", href=monitor))
    return links
