"""What goes over HTTP about schedules, shared by the API and the client."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from crant_core.jobs.model import JobState, Overlap, Skipped
from crant_core.jobs.timetable import CatchUp
from crant_core.jobs.wire import JobCounts, JobProblem, Link, NotifyRequest, Wire

_TEXT = r"^[^\x00]*$"
_DAY, _DECADE = 86_400, 315_360_000


class TemplateRequest(BaseModel):
    """The job that is to be made at every slot."""

    model_config = ConfigDict(extra="forbid")

    kind: str = Field(max_length=64, description="What sort of job; see /v1/kinds")
    dataset: str = Field(max_length=64, description="Name or alias of a dataset; see /v1/datasets")
    params: dict[str, Any] = Field(
        description="The kind's parameters, as in POST /v1/jobs; checked now, and again at every slot"
    )
    at: str | int = Field(default="live", description="Point in time that each job asks for when it is planned")
    label: str = Field(default="", max_length=200, pattern=_TEXT, description="Label of the jobs; the schedule's name")
    priority: int = Field(default=0, ge=-10, le=10, description="Higher goes first among one's own jobs")
    reuse: bool = Field(default=True, description="Take results that exist; false computes everything again")


class _Timing(BaseModel):
    """When, and what is told to whom."""

    model_config = ConfigDict(extra="forbid")

    cron: str | None = Field(
        default=None, max_length=100, description="Minute, hour, day of month, month, day of week, such as 0 2 * * *"
    )
    zone: str = Field(default="UTC", max_length=64, description="Time zone of cron, such as America/New_York")
    every_seconds: int | None = Field(default=None, ge=60, le=_DECADE, description="Instead of cron: an interval")
    jitter_seconds: int = Field(
        default=0, ge=0, le=_DAY, description="Each run begins within so many seconds after its slot"
    )
    enabled: bool = Field(default=True, description="Whether slots make jobs")
    overlap: Overlap = Field(
        default=Overlap.SKIP, description="What happens at a slot if an earlier run has not ended yet"
    )
    catch_up: CatchUp = Field(
        default=CatchUp.ONCE, description="Of slots that were missed while nothing ran: the last one once, or none"
    )
    notify: list[NotifyRequest] = Field(
        default=[], max_length=20, description="Who is told of a run's end; addresses are not shown again"
    )


class ScheduleRequest(_Timing):
    """A job to be made again and again."""

    name: str = Field(min_length=1, max_length=100, pattern=_TEXT, description="Unique among one's own schedules")
    job: TemplateRequest


class SchedulePatch(BaseModel):
    """What shall be different. What is left out stays; of `job` as well, but its `params` are replaced as a whole."""

    model_config = ConfigDict(extra="forbid")

    name: str | None = Field(default=None, description="See POST /v1/schedules, as for all the others")
    job: dict[str, Any] | None = Field(default=None, description="Those fields of the job template that change")
    cron: str | None = Field(default=None, description="Takes the place of an interval")
    zone: str | None = None
    every_seconds: int | None = Field(default=None, description="Takes the place of cron")
    jitter_seconds: int | None = None
    enabled: bool | None = None
    overlap: Overlap | None = None
    catch_up: CatchUp | None = None
    notify: list[NotifyRequest] | None = None


class SlotView(Wire):
    """A slot to come."""

    slot: datetime
    local: str = Field(description="The slot by the clocks of the schedule's zone, with its distance to UTC")
    begins_at: datetime = Field(description="With jitter")


class PreviewView(Wire):
    """What a schedule would do. Nothing was stored."""

    next_runs: list[SlotView]


class TemplateView(Wire):
    """A schedule's job template."""

    kind: str
    dataset: str
    params: dict[str, Any] = Field(description="As they were given, without the ids")
    input: str = Field(description="The ids, as an uploaded list")
    given: int = Field(description="How many ids")
    at: str
    label: str
    priority: int
    reuse: bool


class RunView(Wire):
    """A job that a schedule made."""

    job: str = Field(description="Its id")
    slot: datetime | None = Field(description="null: somebody ran it by hand")
    state: JobState
    counts: JobCounts
    created_at: datetime
    finished_at: datetime | None


class RunPage(Wire):
    """Some runs, newest first."""

    runs: list[RunView]
    next: str | None = Field(description="Address of the next page")


class SkipView(Wire):
    """Slots, one after the other, that made no job."""

    id: int
    slot: datetime = Field(description="The first of them")
    last_slot: datetime
    count: int
    reason: Skipped
    detail: str
    at: datetime = Field(description="When the last of them was left out")


class SkipPage(Wire):
    """Some slots that made no job, latest first."""

    skips: list[SkipView]
    next: str | None


class ScheduleView(Wire):
    """A schedule as people see it."""

    id: str
    name: str
    owner: str
    job: TemplateView
    cron: str | None
    zone: str
    every_seconds: int | None
    jitter_seconds: int
    enabled: bool
    overlap: Overlap
    catch_up: CatchUp
    notify: list[dict[str, Any]]
    last_slot: datetime | None = Field(description="The last one that was dealt with, run or left out")
    next_slot: datetime | None
    next_runs: list[SlotView] = Field(description="The next five; none while it is disabled")
    last_run: RunView | None
    problem: JobProblem | None = Field(description="Why the last slot could make no job")
    created_at: datetime
    updated_at: datetime = Field(description="When somebody changed it")
    links: list[Link]


class SchedulePage(Wire):
    """Some schedules, in the order in which they were made."""

    schedules: list[ScheduleView]
    next: str | None
