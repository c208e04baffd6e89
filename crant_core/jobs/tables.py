"""The tables. Named constraints, typed columns; times are UTC, ids of neurons are text or packed int64."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, cast

from sqlalchemy import (
    JSON,
    BigInteger,
    DateTime,
    Dialect,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from crant_core.jobs.model import ItemState, JobState, Queue, Role, UnitState


class UtcDateTime(TypeDecorator[datetime]):
    """A moment in UTC: naive datetimes are refused, and SQLite gives the zone back."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Refuse moments without a zone; store the rest in UTC."""
        if value is not None and value.tzinfo is None:
            raise ValueError(f"{value!r} has no time zone")
        return value and value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Give the zone back where the database has none."""
        return value and (value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC))


def _now() -> datetime:
    return datetime.now(UTC)


Number = BigInteger().with_variant(Integer, "sqlite")  # SQLite counts up only INTEGER keys
Json = dict[str, Any]


class Base(DeclarativeBase):
    """Base of all tables, with names for every constraint so that migrations can refer to them."""

    metadata = MetaData(
        naming_convention={
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {datetime: UtcDateTime, Json: JSON, dict: JSON}  # noqa: RUF012 - SQLAlchemy's own spelling


def table_of(model: type[Base]) -> Table:
    """Return a model's table: statements on it pass by the unit of work, which costs more than they do."""
    return cast("Table", model.__table__)


class InputRow(Base):
    """A list of ids that jobs work on, stored once by content."""

    __tablename__ = "inputs"

    id: Mapped[str] = mapped_column(String(64), primary_key=True, doc="sha256 of data")
    count: Mapped[int]
    data: Mapped[bytes] = mapped_column(LargeBinary, doc="little-endian int64")


class JobRow(Base):
    """What somebody submitted, and where it stands."""

    __tablename__ = "jobs"
    __table_args__ = (
        UniqueConstraint("id"),
        UniqueConstraint("owner", "idempotency_key"),
        Index(None, "owner", "number"),
        Index(None, "state"),
        Index(None, "kind", "dataset", "number"),
        Index("uq_jobs_schedule_id_slot", "schedule_id", "slot", unique=True),
        Index(None, "parent_id"),
    )

    number: Mapped[int] = mapped_column(Number, primary_key=True, doc="order of submission")
    id: Mapped[str] = mapped_column(String(32))
    kind: Mapped[str] = mapped_column(String(64))
    code_version: Mapped[int]
    dataset: Mapped[str] = mapped_column(String(64))
    parameters: Mapped[Json]
    input_id: Mapped[str] = mapped_column(ForeignKey("inputs.id"))
    at: Mapped[str] = mapped_column(String(64), doc="the point in time asked for")
    timestamp: Mapped[datetime | None] = mapped_column(doc="the point in time used, once planned")
    version: Mapped[int | None] = mapped_column(doc="the materialization version used, if any")
    owner: Mapped[str] = mapped_column(String(128))
    label: Mapped[str] = mapped_column(String(200), default="")
    priority: Mapped[int] = mapped_column(default=0)
    state: Mapped[str] = mapped_column(String(16), default=JobState.PLANNING)
    resume_to: Mapped[str | None] = mapped_column(String(16), doc="the state that a paused job goes on from")
    deadline: Mapped[datetime | None] = mapped_column(doc="when it is stopped if it has not ended")
    reuse: Mapped[bool] = mapped_column(default=True, doc="whether results that exist are taken instead of made")
    total: Mapped[int] = mapped_column(default=0)
    succeeded: Mapped[int] = mapped_column(default=0, doc="with reused ones")
    failed: Mapped[int] = mapped_column(default=0, doc="with quarantined ones")
    cancelled: Mapped[int] = mapped_column(default=0)
    reused: Mapped[int] = mapped_column(default=0, doc="succeeded by a result that existed")
    uncut: Mapped[int] = mapped_column(default=0, doc="pending items that belong to no unit yet")
    first_size: Mapped[int] = mapped_column(default=1, doc="items in a unit while costs are unknown")
    largest_size: Mapped[int] = mapped_column(default=1, doc="items in a unit at most")
    item_seconds: Mapped[float | None] = mapped_column(doc="what an item costs, as measured so far")
    error_code: Mapped[str | None] = mapped_column(String(64))
    error_message: Mapped[str | None] = mapped_column(Text)
    idempotency_key: Mapped[str | None] = mapped_column(String(255))
    body_hash: Mapped[str] = mapped_column(String(64))
    share_key: Mapped[str | None] = mapped_column(String(32), doc="who knows it reads the job's skeletons; for links")
    schedule_id: Mapped[str | None] = mapped_column(String(32), doc="whose run it is; the run outlives its schedule")
    slot: Mapped[datetime | None] = mapped_column(doc="of its schedule; nothing: somebody ran it by hand")
    queue: Mapped[str] = mapped_column(String(16), default=Queue.CPU, server_default=Queue.CPU, doc="of its units")
    traceparent: Mapped[str | None] = mapped_column(String(64), doc="the trace of its submission, W3C's notation")
    parent_id: Mapped[str | None] = mapped_column(String(32), doc="the pipeline that this job is a step of")
    step: Mapped[str | None] = mapped_column(String(64), doc="which step of it; the newest job of a step counts")
    previous_id: Mapped[str | None] = mapped_column(String(32), doc="of a pipeline: the run it goes on from, if any")
    created_at: Mapped[datetime]
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]


class UnitRow(Base):
    """What one message runs. The token fences it: a write must carry the token that holds the lease."""

    __tablename__ = "units"
    __table_args__ = (
        UniqueConstraint("job_id", "role", "position"),
        Index(None, "job_id", "state", "id"),
        Index(None, "state", "hint_at"),
        Index(None, "state", "lease_until"),
        Index(None, "token"),
    )

    id: Mapped[int] = mapped_column(Number, primary_key=True)
    job_id: Mapped[str] = mapped_column(ForeignKey("jobs.id"))
    role: Mapped[str] = mapped_column(String(16), default=Role.RUN)
    position: Mapped[int] = mapped_column(default=0)
    state: Mapped[str] = mapped_column(String(16), default=UnitState.QUEUED)
    attempt: Mapped[int] = mapped_column(default=0)
    token: Mapped[str | None] = mapped_column(String(128), doc="Celery task id of the attempt that holds the lease")
    lease_until: Mapped[datetime | None]
    not_before: Mapped[datetime | None]
    hint_at: Mapped[datetime | None] = mapped_column(doc="when it was last offered to the broker")
    cost: Mapped[float | None] = mapped_column(doc="seconds it should take; nothing: nobody knows")
    queue: Mapped[str | None] = mapped_column(String(16), doc="another queue than its job's")
    queued_at: Mapped[datetime | None] = mapped_column(default=_now, doc="when it was made")


class AttemptRow(Base):
    """One try at a unit: who, when, how it ended."""

    __tablename__ = "attempts"
    __table_args__ = (Index(None, "unit_id"), Index(None, "job_id"))

    token: Mapped[str] = mapped_column(String(128), primary_key=True, doc="Celery task id")
    unit_id: Mapped[int] = mapped_column(ForeignKey("units.id"))
    job_id: Mapped[str] = mapped_column(ForeignKey("jobs.id"))
    number: Mapped[int]
    worker: Mapped[str] = mapped_column(String(128))
    started_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    outcome: Mapped[str | None] = mapped_column(String(64), doc="done, or the code of the error that ended it")
    items: Mapped[int] = mapped_column(default=0, doc="items it ended")
    seconds: Mapped[float | None] = mapped_column(doc="time it worked on them, or on the plan or the finish")
    requests: Mapped[int | None] = mapped_column(doc="sent to CAVE and its buckets meanwhile")
    received: Mapped[int | None] = mapped_column(Number, doc="bytes that came from there; null: of an older worker")


class ItemRow(Base):
    """One neuron (or other thing) of a job, and what became of it."""

    __tablename__ = "items"
    __table_args__ = (
        UniqueConstraint("job_id", "position"),
        UniqueConstraint("job_id", "key"),
        Index(None, "unit_id"),
        Index(None, "job_id", "state", "position"),
    )

    id: Mapped[int] = mapped_column(Number, primary_key=True)
    job_id: Mapped[str] = mapped_column(ForeignKey("jobs.id"))
    unit_id: Mapped[int | None] = mapped_column(ForeignKey("units.id"))
    position: Mapped[int]
    key: Mapped[str] = mapped_column(String(128))
    state: Mapped[str] = mapped_column(String(16), default=ItemState.PENDING)
    address: Mapped[str | None] = mapped_column(String(64), doc="names its result, if that can serve others")
    attempts: Mapped[int] = mapped_column(default=0, doc="times it failed with an error that may pass")
    crashes: Mapped[int] = mapped_column(default=0, doc="processes that died while they worked on it alone")
    error_code: Mapped[str | None] = mapped_column(String(64))
    error_message: Mapped[str | None] = mapped_column(Text)
    traceback: Mapped[str | None] = mapped_column(Text)
    seconds: Mapped[float | None]
    metrics: Mapped[Json] = mapped_column(default=dict)
    finished_at: Mapped[datetime | None]


class ResultRow(Base):
    """A result that others can use, or the claim of the unit that is making it."""

    __tablename__ = "results"

    address: Mapped[str] = mapped_column(String(64), primary_key=True)
    item_id: Mapped[int | None] = mapped_column(ForeignKey("items.id"), doc="whose files it is; nothing: being made")
    token: Mapped[str | None] = mapped_column(String(128), doc="of the attempt that makes it")
    metrics: Mapped[Json] = mapped_column(default=dict)
    made_at: Mapped[datetime | None]


class DependencyRow(Base):
    """One job comes after another."""

    __tablename__ = "dependencies"
    __table_args__ = (Index(None, "after_id"),)

    job_id: Mapped[str] = mapped_column(ForeignKey("jobs.id"), primary_key=True)
    after_id: Mapped[str] = mapped_column(ForeignKey("jobs.id"), primary_key=True)
    needed: Mapped[bool] = mapped_column(default=True, doc="whether that one must have results, or only have ended")


class ArtifactRow(Base):
    """A stored result file; the bytes lie in the artifact store under their checksum."""

    __tablename__ = "artifacts"
    __table_args__ = (
        UniqueConstraint("job_id", "name"),
        Index(None, "job_id", "id"),
        Index(None, "sha256"),
        Index(None, "item_id"),
    )

    id: Mapped[int] = mapped_column(Number, primary_key=True)
    job_id: Mapped[str] = mapped_column(ForeignKey("jobs.id"))
    item_id: Mapped[int | None] = mapped_column(ForeignKey("items.id"), doc="nothing: it belongs to the whole job")
    name: Mapped[str] = mapped_column(String(255))
    media_type: Mapped[str] = mapped_column(String(128))
    size: Mapped[int] = mapped_column(BigInteger)
    sha256: Mapped[str] = mapped_column(String(64))
    meta: Mapped[Json] = mapped_column(default=dict)
    created_at: Mapped[datetime]


class EdgeRow(Base):
    """A pair of connected neurons that a job found. People query it: see docs/results.md."""

    __tablename__ = "edges"
    __table_args__ = (Index(None, "pre"), Index(None, "post"))

    job_id: Mapped[str] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True)
    pre: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False, doc="root id")
    post: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False, doc="root id")
    weight: Mapped[int] = mapped_column(BigInteger, doc="synapses")


class TypeSumRow(Base):
    """What the neurons of a type send to those of another in a neuropil. People query it: see docs/results.md."""

    __tablename__ = "type_sums"

    job_id: Mapped[str] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True)
    neuropil: Mapped[str] = mapped_column(String(200), primary_key=True)
    pre_type: Mapped[str] = mapped_column(String(200), primary_key=True)
    post_type: Mapped[str] = mapped_column(String(200), primary_key=True)
    weight: Mapped[float] = mapped_column(doc="synapses, or the sum of shares, as the job's weight_mode says")
    n_pre: Mapped[int] = mapped_column(BigInteger, doc="neurons of the type that are rows")
    n_post: Mapped[int] = mapped_column(BigInteger, doc="neurons of the type that are columns")


class RefreshChangeRow(Base):
    """What a refresh found changed since the run before. People query it: see docs/refresh.md."""

    __tablename__ = "refresh_changes"
    __table_args__ = (Index(None, "root_id"),)

    job_id: Mapped[str] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    change: Mapped[str] = mapped_column(String(32), doc="added, gone, edited, skeleton, synapses, connection, failure")
    root_id: Mapped[int] = mapped_column(BigInteger, doc="the neuron, as it is now if it is there")
    old_id: Mapped[int | None] = mapped_column(BigInteger, doc="the root that it was")
    partner_id: Mapped[int | None] = mapped_column(BigInteger, doc="of a connection: the postsynaptic neuron")
    measure: Mapped[str] = mapped_column(String(64), doc="what is compared; of a failure its code")
    before: Mapped[float | None]
    after: Mapped[float | None]


class NotificationRow(Base):
    """Somebody to be told of a job: sent once, tried again while that fails. The address may hold a secret."""

    __tablename__ = "notifications"
    __table_args__ = (UniqueConstraint("job_id", "position"), Index(None, "state"))

    id: Mapped[int] = mapped_column(Number, primary_key=True)
    job_id: Mapped[str] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"))
    position: Mapped[int]
    url: Mapped[str] = mapped_column(Text, doc="as Apprise writes addresses; never shown")
    events: Mapped[str] = mapped_column(String(64), doc="words separated by spaces: finish, failure, changed")
    changed_percent: Mapped[float | None]
    state: Mapped[str] = mapped_column(String(16), default="waiting")
    attempts: Mapped[int] = mapped_column(default=0)
    not_before: Mapped[datetime | None]
    error: Mapped[str | None] = mapped_column(Text)
    sent_at: Mapped[datetime | None]


class EventRow(Base):
    """What happened, in order; never changed."""

    __tablename__ = "events"
    __table_args__ = (Index(None, "job_id", "id"),)

    id: Mapped[int] = mapped_column(Number, primary_key=True)
    job_id: Mapped[str] = mapped_column(ForeignKey("jobs.id"))
    at: Mapped[datetime]
    type: Mapped[str] = mapped_column(String(32))
    data: Mapped[Json] = mapped_column(default=dict)


class TokenRow(Base):
    """A hashed API token."""

    __tablename__ = "tokens"

    hash: Mapped[str] = mapped_column(String(64), primary_key=True, doc="sha256 of the token")
    owner: Mapped[str] = mapped_column(String(128))
    scopes: Mapped[str] = mapped_column(String(64), doc="words separated by spaces")
    label: Mapped[str] = mapped_column(String(200), default="")
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime | None]
    last_used_at: Mapped[datetime | None] = mapped_column(doc="to the minute or so")


class LeaderRow(Base):
    """Who alone may do a thing until when."""

    __tablename__ = "leaders"

    name: Mapped[str] = mapped_column(String(64), primary_key=True)
    holder: Mapped[str] = mapped_column(String(128))
    until: Mapped[datetime]


class CounterRow(Base):
    """What the service's processes counted since ever; never goes down."""

    __tablename__ = "counters"

    name: Mapped[str] = mapped_column(String(64), primary_key=True, doc="the metric's name")
    labels: Mapped[str] = mapped_column(String(500), primary_key=True, doc="JSON, sorted by name")
    value: Mapped[float]
