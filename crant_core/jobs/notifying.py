"""Tells people what became of their jobs, by mail, chat or webhook: whatever Apprise has an address for.

Addresses hold secrets, so nothing of them but their sort is logged, stored with an error, or shown.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

import structlog

from crant_core.errors import InvalidParameters, NotFound
from crant_core.jobs.artifacts import ArtifactStore
from crant_core.jobs.model import JobState
from crant_core.jobs.repository.jobs import JobRepository
from crant_core.jobs.repository.notifications import NewNotification, NotificationRepository, masked
from crant_core.jobs.tables import JobRow, NotificationRow
from crant_core.jobs.wire import NotifyRequest

log = structlog.get_logger()

FINISH, FAILURE, CHANGED = "finish", "failure", "changed"
REPORT = "report.json"  #: of kinds that say how much changed
_FAILED = (JobState.FAILED, JobState.PARTIAL)
_AT_ONCE = 100

Send = Callable[[str, str, str, bool], bool]  #: address, title, text, whether it is bad news; False: not taken


def check_address(url: str) -> None:
    """Refuse an address that nothing can be sent to.

    Raises
    ------
    InvalidParameters
        Without the address.
    """
    from apprise import Apprise

    _be_quiet()
    if Apprise.instantiate(url) is None:
        hint = "such as mailto://user:password@example.org, slack://…, json://host/path; see Apprise's documentation"
        raise InvalidParameters("notify: this is no address to send to", value=masked(url), hint=hint)


def notifications_of(requests: Iterable[NotifyRequest]) -> list[NewNotification]:
    """Read who is to be told.

    Raises
    ------
    InvalidParameters
        Nothing can be sent to an address, which is not repeated.
    """
    found = [(one, one.url.get_secret_value()) for one in requests]
    for _, url in found:
        check_address(url)
    return [NewNotification(url=url, on=list(one.on), changed_percent=one.changed_percent) for one, url in found]


def send(url: str, title: str, text: str, bad: bool) -> bool:
    """Send one message; False if it was not taken."""
    from apprise import Apprise, NotifyType

    kind = NotifyType.FAILURE if bad else NotifyType.SUCCESS
    with _nothing_logged():
        sender = Apprise()
        return bool(sender.add(url)) and bool(sender.notify(body=text, title=title, notify_type=kind))


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
        except Exception as error:  # noqa: BLE001 - whatever a service's plugin raises, which may name the address
            self._failed(row, type(error).__name__)
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


@contextmanager
def _nothing_logged() -> Iterator[None]:
    """Keep what libraries say out of the logs: the path of a webhook is its secret, and urllib3 writes paths."""
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)  # of the whole process, which does nothing else meanwhile
    try:
        yield
    finally:
        logging.disable(before)


def _be_quiet() -> None:
    """Keep what Apprise says of addresses out of the logs."""
    logging.getLogger("apprise").setLevel(logging.CRITICAL + 1)
