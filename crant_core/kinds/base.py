"""What a kind of job is: a light `spec.py` that the API reads and a heavy `run.py` that only workers load.

A kind is one folder `crant_core/kinds/<name>/`. `run.py` has plain functions, three of them always:

    plan(context, ids) -> Iterable[PlannedItem] what to do, and what is known at once to be impossible; a generator
                                                keeps memory bounded, as items are stored while they come
    run(context, key) -> ItemResult             one item; called again after a crash, so it must be idempotent
    finish(context, items) -> list[File]        what only the whole job can say; items are read from the database while
                                                they are iterated, from the beginning each time, and may be a million

and maybe a fourth, for what is cheaper to fetch for many items at once than for each:

    prepare(context, keys) -> Any               once per unit, before its items; `run` finds it in `context.prepared`

If `prepare` fails with an error that may pass, the unit is tried again later. If it fails with any other, its items run
one by one with `context.prepared` None, so that one bad item fails alone; `run` must be able to do without.

A **pipeline** is a kind whose jobs are made of other jobs. It has no items of its own, and instead of `plan` and `run`

    steps(context, ids) -> Pipeline             which jobs it is made of, and which of them come after which
    feed(context, step) -> Feed                 what a step works on, said when it is planned: what it comes after is
                                                done by then
    is_like(run, other) -> bool                 whether one run goes on from another, of the same owner and label

All its jobs are of the pipeline's one point in time. `finish` is called when all of them have ended.

None of them knows SQL, Celery or HTTP. A unit of work reaches a worker *at least* once; a result takes effect
*exactly* once, because the engine refuses writes under a lost lease.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeAlias, TypeVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from crant_core.errors import NotFound
from crant_core.ids import RootId
from crant_core.times import TimeBase

if TYPE_CHECKING:
    from crant_core.datasets import Dataset
    from crant_core.errors import CrantError
    from crant_core.sources.base import Source

MAX_INLINE_IDS = 100_000
AS_OF = "as_of"  #: the metric that says of which time a result is that serves at a later one: see `Feed.since`
EARLIER = "earlier"  #: the metric with the address of the result that this one can be made from: see `Feed.earlier`

Scalar = str | int | float | bool | None
Item = TypeVar("Item")


class Parameters(BaseModel):
    """Parameters of a kind: unknown fields are errors, and nothing is coerced silently."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def check_list(value: object) -> object:
    """Refuse a text where a list belongs, and say how lists are written: `a,b` at a terminal is one text."""
    if isinstance(value, str):
        written = json.dumps([part.strip() for part in value.split(",")])
        message = f"{value!r} is a text, not a list; write {written}, in a terminal between single quotes"
        raise ValueError(message)  # noqa: TRY004 - what pydantic takes for a refusal
    return value


def check_distinct(values: list[Item]) -> list[Item]:
    """Refuse a list that names something twice."""
    if len(set(values)) < len(values):
        raise ValueError(f"{next(value for value in values if values.count(value) > 1)!r} is named twice")
    return values


Listed: TypeAlias = Annotated[list[Item], BeforeValidator(check_list)]  #: of parameters, said how it is written
Formats: TypeAlias = Annotated[list[Item], BeforeValidator(check_list), AfterValidator(check_distinct)]


class IdParameters(Parameters):
    """Parameters of a kind that works on root ids; duplicates count once, order is kept."""

    ids: list[RootId] = Field(
        min_length=1, max_length=MAX_INLINE_IDS, description=f"Root ids, at most {MAX_INLINE_IDS:,} in one request"
    )


class SynapseFilters(Parameters):
    """Which synapses count, in every kind that counts them; the conditions work in this order."""

    min_size: float | None = Field(default=None, ge=0, description="Leave out smaller synapses, in voxels")
    clean: bool = Field(default=True, description="Leave out synapses of a neuron with itself, and with background")
    threshold: int = Field(default=1, ge=1, description="Leave out pairs with fewer synapses")


class Reuse(StrEnum):
    """When the result of an item can serve other jobs, whoever's they are.

    Only what `run` returns for a key is shared, so it must follow from key, parameters, dataset and maybe time alone.
    """

    #: never: results depend on the job's other items, or change by themselves
    NEVER = "never"
    #: in jobs at the same time, such as a materialization version
    SAME_TIME = "same_time"
    #: always: what a key means never changes, as with the shape of a root id
    ALWAYS = "always"


@dataclass(frozen=True, kw_only=True)
class KindSpec:
    """What the service must know of a kind without loading its science."""

    name: str
    title: str
    code_version: int  #: raised by the author whenever results change
    parameters: type[IdParameters]
    runner: str  #: module with plan, run, finish
    items_per_unit: int  #: a guess for the first units; the next ones are sized by what these cost
    time_limit: int  #: seconds a unit may take before its process is killed
    queue: Literal["cpu", "io"] = "cpu"  #: whether it computes, or waits for servers most of the time
    example: dict[str, object]
    largest_unit: int | None = None  #: items that a unit may have, whatever they cost; 20 times the guess if left out
    reuse: Reuse = Reuse.NEVER
    result_parameters: tuple[str, ...] | None = None  #: those an item's result depends on; all if left out
    makes_skeletons: bool = False  #: other kinds can work on what its jobs made
    #: says what of the parameters cannot be on a dataset, as far as that needs no server; raises `InvalidInput`
    check: Callable[[Any, Dataset], None] | None = None
    ids_are_one_item: bool = False  #: as where they are a condition; then a job may have none
    is_pipeline: bool = False  #: made of other jobs

    @property
    def most_items(self) -> int:
        """Items that a unit may have."""
        return self.largest_unit or 20 * self.items_per_unit


@dataclass(frozen=True, kw_only=True)
class EndedItem:
    """An item of another job that has ended, well or not."""

    key: str
    metrics: Mapping[str, Any]
    address: str | None = None  #: names its result, if that can serve others
    error_code: str | None = None
    error_message: str | None = None


@dataclass(frozen=True, kw_only=True)
class Spent:
    """What a job took."""

    seconds: float = 0.0  #: of work, all processes together
    requests: int = 0  #: sent to CAVE and its buckets
    received: int = 0  #: bytes that came from there
    items: int = 0
    reused: int = 0  #: items whose result existed
    failed: int = 0


@dataclass(frozen=True, kw_only=True)
class JobResults:
    """What another job of the same owner has made."""

    kind: str
    parameters: Mapping[str, Any]
    read: Callable[[str], bytes]  #: read one of its artifacts by name; raises `NotFound`
    id: str = ""
    label: str = ""
    state: str = "succeeded"
    error: str | None = None  #: why it failed as a whole
    time: TimeBase | None = None  #: its one point in time, once it was planned
    items: Callable[[], Iterable[EndedItem]] = lambda: ()  #: read the items that have ended, in their order
    ids: Callable[[], Sequence[int]] = lambda: ()  #: read the ids that it was given
    spent: Callable[[], Spent] = Spent  #: adds up what the job took
    steps: Callable[[], Mapping[str, JobResults]] = dict  #: of a pipeline: look at its jobs, by step


@dataclass(frozen=True, kw_only=True)
class EarlierResult:
    """What an item's result can be made from, instead of anew: see `Feed.earlier`."""

    metrics: Mapping[str, Any]
    read: Callable[[str], bytes]  #: read one of its files by name; raises `NotFound`
    until: datetime  #: what was edited later is not in it


def _no_other_job(job_id: str) -> JobResults:
    raise NotFound(f"there is no job {job_id}", value=job_id)


def _no_pipeline() -> JobResults:
    raise NotFound("this job is no step of a pipeline")


@dataclass(frozen=True, kw_only=True)
class Context:
    """What one job gives to its science: where data comes from, at which time, with which parameters."""

    source: Source
    time: TimeBase
    parameters: dict[str, object]
    read: Callable[[str], bytes]  #: read a stored artifact of this job by name
    ids: Callable[[], Sequence[int]] = lambda: ()  #: fetch all ids that the job was given
    #: raises if nobody wants the result any more (cancelled, or given to another worker): call it in loops that last
    check: Callable[[], None] = lambda: None
    results_of: Callable[[str], JobResults] = _no_other_job  #: raises `NotFound` if it is not the owner's
    prepared: Any = None  #: what the kind's `prepare` made for the items of this unit
    is_step: bool = False  #: of a pipeline, which draws pictures itself
    pipeline: Callable[[], JobResults] = _no_pipeline  #: look at the pipeline that this job is
    #: find the run of a pipeline that this one goes on from: the one that is named, else the last one that was like it
    previous: Callable[[str | None], JobResults | None] = lambda _: None
    #: by key: the numbers that the plan gave to this unit's items
    planned: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    #: by key: of this unit's items, those of which a result is there that the pipeline named; see `Feed.earlier`
    earlier: Mapping[str, EarlierResult] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class File:
    """One result file before it is stored; `meta` says what it is (units, frame, format and its version).

    The rows of a Parquet file that `finish` makes can go to SQL as well: `table` names one of the tables for results.
    """

    name: str
    media_type: str
    data: bytes
    meta: dict[str, Scalar] = field(default_factory=dict)
    table: str | None = None


@dataclass(frozen=True, kw_only=True)
class PlannedItem:
    """One thing to do, or one thing known at planning time to be impossible.

    `basis` names what its result follows from besides the key and the parameters, such as the address of a skeleton.
    """

    key: str
    error: CrantError | None = None
    metrics: dict[str, Scalar] = field(default_factory=dict)
    basis: str = ""


@dataclass(frozen=True, kw_only=True)
class Step:
    """One job of a pipeline."""

    name: str
    kind: str
    after: tuple[str, ...] = ()  #: names of steps that must be done before it is planned


@dataclass(frozen=True, kw_only=True)
class Pipeline:
    """What a pipeline's job is made of."""

    steps: Sequence[Step]
    ids: Sequence[int]  #: what it works on: those that were given, or found
    previous: str | None = None  #: the run it goes on from


@dataclass(frozen=True, kw_only=True)
class Feed:
    """What a step works on.

    Attributes
    ----------
    ids : sequence of int
    parameters : mapping
        Of its kind, without the ids.
    since : mapping of str to datetime
        By key: a time since which nothing changed that the item's result depends on. A result of that time serves,
        though the kind's results serve at the same time only.
    earlier : mapping of str to datetime
        By key: a time whose result is what the item's will be, but for what was edited since the run before. Whoever
        does the item finds that result in `Context.earlier`, unless it was removed.
    """

    ids: Sequence[int]
    parameters: Mapping[str, Any] = field(default_factory=dict)
    since: Mapping[str, datetime] = field(default_factory=dict)
    earlier: Mapping[str, datetime] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class ItemResult:
    """What one item yields: numbers for SQL, files for the store.

    Files may come from a generator, each stored before the next is made; then `metrics` counts once all are stored.
    """

    metrics: dict[str, Scalar] = field(default_factory=dict)
    files: Iterable[File] = ()


@dataclass(frozen=True, kw_only=True)
class DoneItem:
    """An item that succeeded, as `finish` sees it."""

    key: str
    metrics: dict[str, Scalar]
    files: tuple[str, ...]  #: names of its artifacts
