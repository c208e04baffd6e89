"""Schedules of the service from Python: jobs that are made again and again.

from crant_core.client import Crant

schedules = Crant().schedules
nightly = schedules.create(
    "projection neurons", "refresh", dataset="latest", cron="0 2 * * *", zone="America/New_York", criteria={…}
)
nightly.view.next_runs
nightly.run().wait()
nightly.change(enabled=False)
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from crant_core.errors import NotFound
from crant_core.jobs.schedule_wire import (
    PreviewView,
    RunPage,
    RunView,
    SchedulePage,
    ScheduleRequest,
    ScheduleView,
    SkipPage,
    SkipView,
    SlotView,
)
from crant_core.jobs.wire import JobView

if TYPE_CHECKING:
    from crant_core.client import Crant, Job

_HERE = "/v1/schedules"
_JOB = ("kind", "dataset", "at", "label", "priority", "reuse", "params")


class Schedules:
    """The schedules of a service; iterating over it lists them in the order in which they were made."""

    def __init__(self, service: Crant) -> None:
        self.service = service

    def __iter__(self) -> Iterator[Schedule]:
        for page in self.service._pages(_HERE, SchedulePage):
            yield from (Schedule(self.service, view) for view in page.schedules)

    def __getitem__(self, id_or_name: str) -> Schedule:
        """Find a schedule by its id, or one's own by its name.

        Raises
        ------
        NotFound
        """
        mine: str | None = None
        for schedule in self:
            if schedule.id == id_or_name:
                return schedule
            if schedule.view.name == id_or_name:
                mine = mine or self.service.me().owner
                if schedule.view.owner == mine:
                    return schedule
        raise NotFound(f"there is no schedule {id_or_name!r}", value=id_or_name, hint="list them: crant schedules list")

    def create(self, name: str, kind: str, *, dataset: str, ids: Iterable[int | str] = (), **more: Any) -> Schedule:
        """Make a schedule.

        Parameters
        ----------
        name : str
            Unique among one's own schedules.
        kind, dataset : str
        ids : iterable of int or str
            What to work on, where the kind does not choose by other parameters.
        **more
            The timetable: `cron` with a `zone`, or `every_seconds`; `jitter_seconds`, `enabled`, `overlap` ("skip",
            "queue", "cancel_previous"), `catch_up` ("once", "none"), `notify`. Of each job `at`, `label`, `priority`,
            `reuse`. All else are parameters of the kind.

        Raises
        ------
        ServiceProblem
            The service did not accept it; nothing was stored.
        """
        request = _request(name, kind, dataset, ids, more)
        key = {"Idempotency-Key": secrets.token_hex(16)}  # a request sent again after a lost answer is the same one
        answer = self.service._send("POST", _HERE, json=request, headers=key)
        return Schedule(self.service, ScheduleView.model_validate(answer))

    def preview(
        self, name: str, kind: str, *, dataset: str, ids: Iterable[int | str] = (), **more: Any
    ) -> list[SlotView]:
        """Say when the next five runs would be, without making a schedule; takes what `create` takes."""
        request = _request(name, kind, dataset, ids, more)
        answer = self.service._send("POST", _HERE, json=request, params={"dry_run": True})
        return PreviewView.model_validate(answer).next_runs


class Schedule:
    """A schedule of the service. `view` is what was last heard of it."""

    def __init__(self, service: Crant, view: ScheduleView) -> None:
        self.service = service
        self.view = view
        self._path = f"{_HERE}/{quote(view.id, safe='')}"

    @property
    def id(self) -> str:
        """The schedule's id."""
        return self.view.id

    def refresh(self) -> ScheduleView:
        """Ask how the schedule stands."""
        self.view = ScheduleView.model_validate(self.service._send("GET", self._path))
        return self.view

    def change(self, **fields: Any) -> ScheduleView:
        """Change some fields, named as in `Schedules.create`; what is not named stays.

        Parameters
        ----------
        **fields
            `params`, a mapping, takes the place of all parameters, with the ids among them; everything that belongs to
            the job template is given like the rest, such as `priority=3`.

        Raises
        ------
        ServiceProblem
            The service did not accept it; nothing was changed.
        """
        job = {name: fields.pop(name) for name in _JOB if name in fields}
        patch = fields | ({"job": job} if job else {})
        self.view = ScheduleView.model_validate(self.service._send("PATCH", self._path, json=patch))
        return self.view

    def enable(self) -> ScheduleView:
        """Let slots make jobs again, from now on."""
        return self.change(enabled=True)

    def disable(self) -> ScheduleView:
        """Let slots pass."""
        return self.change(enabled=False)

    def run(self) -> Job:
        """Make a run now. Raises `ServiceProblem` if an earlier one has not ended and overlapping runs are skipped."""
        from crant_core.client import Job

        key = {"Idempotency-Key": secrets.token_hex(16)}
        answer = self.service._send("POST", f"{self._path}/run", headers=key)
        return Job(self.service, JobView.model_validate(answer))

    def runs(self) -> Iterator[RunView]:
        """List the jobs that it made, newest first."""
        for page in self.service._pages(f"{self._path}/runs", RunPage):
            yield from page.runs

    def skips(self) -> Iterator[SkipView]:
        """List the slots that made no job and why, latest first."""
        for page in self.service._pages(f"{self._path}/skips", SkipPage):
            yield from page.skips

    def delete(self) -> None:
        """Remove it. Its runs stay, and what runs goes on."""
        self.service._send("DELETE", self._path)


def _request(name: str, kind: str, dataset: str, ids: Iterable[int | str], more: Mapping[str, Any]) -> dict[str, Any]:
    about_job = {field: more[field] for field in _JOB if field in more and field != "params"}
    timing = {field: more[field] for field in ScheduleRequest.model_fields if field in more and field != "job"}
    params = {field: value for field, value in more.items() if field not in about_job and field not in timing}
    if given := [str(one) if not isinstance(one, (float, bool)) else one for one in ids]:
        params["ids"] = given
    job = {"kind": kind, "dataset": dataset, "params": params} | about_job
    return {"name": name, "job": job} | timing
