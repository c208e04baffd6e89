"""What goes over HTTP, shared by the API and the client. Ids are strings, times RFC 3339 in UTC."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, SecretStr

from crant_core.jobs.model import ItemState, JobState, Scope


class Wire(BaseModel):
    """Base of all bodies; rows of the database can be read as they are."""

    model_config = ConfigDict(from_attributes=True)


class NotifyRequest(BaseModel):
    """Somebody to be told when a job has ended."""

    model_config = ConfigDict(extra="forbid")

    url: SecretStr = Field(max_length=2000, description="As Apprise writes addresses: mailto://…, slack://…, json://…")
    on: list[Literal["finish", "failure", "changed"]] = Field(
        default=["finish"],
        min_length=1,
        max_length=3,
        description="finish: it ended; failure: it failed, or something of it; changed: a refresh found changes",
    )
    changed_percent: float | None = Field(
        default=None, ge=0, le=100, description="Of changed: only if more than so many per cent of the neurons changed"
    )


class JobRequest(BaseModel):
    """A job to be done."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {"kind": "skeletonize", "dataset": "demo", "params": {"ids": ["576460754037774276"]}, "at": "mat"}
            ]
        },
    )

    kind: str = Field(description="What sort of job; see /v1/kinds")
    dataset: str = Field(description="Name or alias of a dataset; see /v1/datasets")
    params: dict[str, Any] = Field(
        description="The kind's parameters; see /v1/kinds/{kind}. `input`, from POST /v1/inputs, instead of `ids`"
    )
    at: str | int = Field(default="live", description='Point in time: "live", "mat", a version, or an ISO 8601 time')
    label: str = Field(default="", max_length=200, pattern=r"^[^\x00]*$", description="A name for people")
    priority: int = Field(default=0, ge=-10, le=10, description="Higher goes first among one's own jobs")
    reuse: bool = Field(default=True, description="Take results that exist; false computes everything again")
    deadline: AwareDatetime | None = Field(
        default=None, description="When the job is stopped, and fails, if it has not ended; with a time zone"
    )
    after: list[str] = Field(
        default=[], max_length=100, description="Ids of jobs that must be done first; if one fails, so does this one"
    )
    notify: list[NotifyRequest] = Field(default=[], max_length=20, description="Who is told when the job has ended")


class InputView(Wire):
    """An uploaded list of ids."""

    id: str = Field(description="What jobs name as `params.input`: the list's checksum")
    count: int = Field(description="Ids in it, with duplicates")


class Link(Wire):
    """A way on from here."""

    rel: str
    href: str


class JobCounts(Wire):
    """How many items, and what became of them."""

    total: int
    succeeded: int
    failed: int = Field(description="With those in quarantine")
    cancelled: int = 0
    reused: int = Field(default=0, description="Of those that succeeded: by a result that existed")

    @property
    def ended(self) -> int:
        """Items that are over."""
        return self.succeeded + self.failed + self.cancelled


class JobProblem(Wire):
    """Why a job as a whole failed."""

    code: str
    message: str


class NotifyView(Wire):
    """Somebody who is told of a job, and whether that was done."""

    url: str = Field(description="What sort of address it is; the rest may be a secret")
    on: list[str]
    changed_percent: float | None
    state: str = Field(description="waiting, sending, sent, failed, or not_needed")
    attempts: int
    error: str | None
    sent_at: datetime | None


class SpentView(Wire):
    """What workers did for a job and its steps."""

    seconds: float = Field(description="Of work, all processes together")
    requests: int = Field(description="Sent to CAVE and its buckets, as far as they were counted")
    received: int = Field(description="Bytes that came from there, as far as they were counted")


class JobView(Wire):
    """A job as people see it."""

    id: str
    kind: str
    code_version: int
    dataset: str
    params: dict[str, Any] = Field(description="Parameters without the ids")
    given: int = Field(description="How many ids were given")
    at: str = Field(description="Point in time asked for")
    timestamp: datetime | None = Field(description="Point in time used, once planned")
    version: int | None = Field(description="Materialization version used, if any")
    owner: str
    label: str
    priority: int
    reuse: bool
    deadline: datetime | None
    after: list[str] = Field(description="Jobs that this one comes after")
    schedule_id: str | None = Field(default=None, description="The schedule that made it")
    slot: datetime | None = Field(default=None, description="The slot of its schedule that it was made at")
    parent_id: str | None = Field(default=None, description="The pipeline that this job is a step of")
    step: str | None = Field(default=None, description="Which step of it")
    previous_id: str | None = Field(default=None, description="Of a pipeline: the run that it goes on from")
    notify: list[NotifyView] = Field(default=[], description="Who is told when the job has ended")
    state: JobState
    counts: JobCounts
    errors: dict[str, int] = Field(description="Failed items by error code")
    problem: JobProblem | None
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    spent: SpentView | None = Field(default=None, description="What it took until now; null in lists")
    links: list[Link]


class JobPage(Wire):
    """Some jobs, newest first."""

    jobs: list[JobView]
    next: str | None = Field(description="Address of the next page")


class ItemView(Wire):
    """One item and what became of it."""

    position: int
    key: str
    state: ItemState
    error_code: str | None
    error_message: str | None
    seconds: float | None
    metrics: dict[str, Any]
    finished_at: datetime | None


class ItemPage(Wire):
    """Some items, in input order."""

    items: list[ItemView]
    next: str | None


class ArtifactView(Wire):
    """A result file."""

    id: int
    name: str
    media_type: str
    size: int
    sha256: str
    meta: dict[str, Any]
    created_at: datetime


class ArtifactPage(Wire):
    """Some files, in the order they were made."""

    artifacts: list[ArtifactView]
    next: str | None


class EventView(Wire):
    """Something that happened to a job."""

    id: int
    at: datetime
    type: str
    data: dict[str, Any]


class AttemptView(Wire):
    """One try at a unit."""

    token: str = Field(description="Celery task id")
    unit_id: int
    number: int
    worker: str
    started_at: datetime
    ended_at: datetime | None
    outcome: str | None
    items: int = Field(description="Items it ended")
    seconds: float | None = Field(description="Time it worked on them")
    requests: int | None = Field(default=None, description="Requests to CAVE and its buckets")
    received: int | None = Field(default=None, description="Bytes that came from there; null: they were not counted")


class SecondsView(Wire):
    """An estimated time."""

    low: float
    expected: float
    high: float


class BytesView(Wire):
    """An estimated amount of data."""

    low: int
    expected: int
    high: int


class EstimateView(Wire):
    """What a job would be, if it was submitted. Nothing was stored."""

    given: int = Field(description="How many ids were given")
    items: int = Field(description="Distinct ones: what would be worked on")
    known: int | None = Field(
        description="Results that exist already, at least; null where that depends on the time the job is planned at"
    )
    to_compute: int
    bytes: BytesView | None = Field(
        default=None,
        description="Bytes that would come from CAVE and its buckets, as measured lately; null where nothing was",
    )
    work: SecondsView | None = Field(
        description="Seconds of work for one worker process, as measured lately; null where nothing was"
    )
    measured_items: int = Field(description="Items that these estimates go by")
    unmeasured: str | None = Field(default=None, description="Why `bytes` or `work` is null")


class KindView(Wire):
    """A kind of job."""

    name: str
    title: str
    code_version: int
    parameters: dict[str, Any] = Field(description="JSON schema of the parameters")
    example: dict[str, Any]


class DatasetView(Wire):
    """A dataset jobs can run on."""

    name: str
    datastack: str
    server: str
    aliases: tuple[str, ...]
    description: str


class Identity(Wire):
    """Whose token this is."""

    owner: str
    scopes: list[str]


class TokenRequest(BaseModel):
    """A token to be made."""

    model_config = ConfigDict(extra="forbid")

    owner: str = Field(min_length=1, max_length=128, description="Whose it is")
    scopes: list[Scope] = Field(default=[Scope.READ, Scope.SUBMIT], min_length=1, max_length=3)
    label: str = Field(default="", max_length=200, description="What it is for")
    days: int | None = Field(default=None, ge=1, le=3650, description="Until it expires; never if left out")


class NewToken(Wire):
    """A token, shown this once."""

    id: str
    token: str


class TokenView(Wire):
    """What is known of a token."""

    id: str = Field(description="Names it; opens nothing")
    owner: str
    scopes: list[Scope]
    label: str
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None = Field(description="To the minute or so")


class Problem(Wire):
    """What went wrong, as RFC 9457 has it, with a stable code and a way out."""

    type: str
    title: str
    status: int
    code: str
    detail: str
    hint: str | None = None
    value: str | None = None
    field: str | None = None
    errors: list[dict[str, Any]] | None = None
