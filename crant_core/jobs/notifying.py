"""Tells people what became of their jobs, by mail, chat or webhook: whatever Apprise has an address for.

Addresses hold secrets, so nothing of them but their sort is logged, stored with an error, or shown.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable

import structlog

from crant_core.errors import CrantError, InvalidParameters, NotFound
from crant_core.jobs.artifacts import ArtifactStore
from crant_core.jobs.model import JobState
from crant_core.jobs.repository.jobs import JobRepository
from crant_core.jobs.repository.notifications import NewNotification, NotificationRepository, masked
from crant_core.jobs.sending import internal_address, is_local, send, service_of
from crant_core.jobs.tables import JobRow, NotificationRow
from crant_core.jobs.wire import NotifyRequest
from crant_core.sources.public import HINT

log = structlog.get_logger()

FINISH, FAILURE, CHANGED = "finish", "failure", "changed"
REPORT = "report.json"  #: of kinds that say how much changed
_FAILED = (JobState.FAILED, JobState.PARTIAL)
_AT_ONCE = 100
_SUCH_AS = "such as mailto://user:password@example.org, slack://…, json://host/path; see Apprise's documentation"

Send = Callable[[str, str, str, bool], bool]  #: address, title, text, whether it is bad news; False: not taken


def check_address(url: str) -> None:
    """Refuse an address that nothing can be sent to, or that nothing may be sent to.

    Raises
    ------
    InvalidParameters
        It is none of Apprise's, is of the machine itself, names its files, or leads to an internal network. The message
        says what sort of address it is and no more, for the rest may be a secret.
    """
    service = service_of(url)
    if service is None or is_local(service):
        raise InvalidParameters("notify: this is no address to send to", value=masked(url), hint=_SUCH_AS)
    internal = internal_address(service)
    if internal is not None:
        message = f"notify: {masked(url)} leads to {internal}, which is not of the public internet"
        raise InvalidParameters(message, value=masked(url), hint=HINT)


def notifications_of(requests: Iterable[NotifyRequest]) -> list[NewNotification]:
    """Read who is to be told.

    Raises
    ------
    InvalidParameters
        Nothing can or may be sent to an address, which is not repeated.
    """
    found = [(one, one.url.get_secret_value()) for one in requests]
    for _, url in found:
        check_address(url)
    return [NewNotification(url=url, on=list(one.on), changed_percent=one.changed_percent) for one, url in found]


class Notifier:
    """Sends what is due.

    Parameters
    ----------
    jobs : JobRepository
    store : ArtifactStore
    public_url : str or None
        Where people reach the service.
    send : callable
    """

    def __init__(self, jobs: JobRepository, store: ArtifactStore, public_url: str | None, send: Send = send) -> None:
        self.notifications = NotificationRepository(jobs.database)
        self.jobs = jobs
        self.store = store
        self.public_url = public_url
        self.send = send

    def send_due(self) -> int:
        """Send what is due, so many at a time, and return how many were tried."""
        for tried in range(_AT_ONCE):
            found = self.notifications.claim()
            if found is None:
                return tried
            self._deliver(*found)
        return _AT_ONCE

    def _deliver(self, row: NotificationRow, job: JobRow) -> None:
        changed = self._changed_percent(job)
        if not wants(row, job, changed):
            self.notifications.note_not_needed(row)
            return
        title, text = message(row, job, changed, self.public_url)
        try:
            was_taken = self.send(row.url, title, text, job.state in _FAILED)
        except CrantError as error:  # ours, which name nothing but where it led
            self._failed(row, str(error))
            return
        if was_taken:
            self.notifications.note_sent(row)
        else:
            self._failed(row, "the service did not take it")

    def _failed(self, row: NotificationRow, why: str) -> None:
        error = f"{masked(row.url)}: {why}"
        log.warning("notification not sent", action="notification_failed", job=row.job_id, error=error)
        self.notifications.note_failed(row, error)

    def _changed_percent(self, job: JobRow) -> float | None:
        try:
            report = json.loads(self.store.get(self.jobs.artifact(job.id, REPORT).sha256))
        except NotFound:
            return None
        return float(report["summary"]["changed_percent"])


def wants(row: NotificationRow, job: JobRow, changed_percent: float | None) -> bool:
    """Say whether somebody wants to be told of what became of a job."""
    events = row.events.split()
    is_changed = changed_percent is not None and changed_percent > (row.changed_percent or 0.0)
    return FINISH in events or (FAILURE in events and job.state in _FAILED) or (CHANGED in events and is_changed)


def message(
    row: NotificationRow, job: JobRow, changed_percent: float | None, public_url: str | None
) -> tuple[str, str]:
    """Write title and text."""
    name = f"{job.kind} “{job.label}”" if job.label else job.kind
    lines = [f"{job.succeeded} of {job.total} succeeded, {job.failed} failed, {job.reused} were known already."]
    if changed_percent is not None:
        lines.append(f"{changed_percent:g} % of the neurons changed.")
    if job.error_message:
        lines.append(f"{job.error_code}: {job.error_message}")
    lines.append(f"{public_url.rstrip('/')}/jobs/{job.id}" if public_url else f"Job {job.id}.")
    lines.append(f"(Notification {job.id}/{row.position}. If it comes twice, it is the same.)")
    return f"{name} on {job.dataset}: {job.state}", "\n".join(lines)
