"""Gathers what a job's page shows: bounded reads, whatever the size of the job."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from api.dashboard import matrix
from api.dashboard.histogram import Bin, histogram
from api.dashboard.numbers import Number, numbers_of
from api.services import Services
from api.views import whole_view
from crant_core.errors import CrantError, NotFound, StoreUnavailable
from crant_core.jobs.model import ItemState
from crant_core.jobs.repository.jobs import Viewer
from crant_core.jobs.tables import ArtifactRow, EventRow, ItemRow, JobRow
from crant_core.jobs.wire import JobView
from crant_core.kinds.registry import get_kind

SHOWN_ITEMS = 200
_SHOWN_EVENTS = 100
_EXAMPLES = 3  #: failed items named per error code
_DRAWN = 60  #: skeletons that the page draws at most; more only hide each other
_SKELETONS = ("swc", "precomputed")  #: formats that skeletons.js reads
_DRAWN_KINDS = ("skeletonize", "l2_skeletons")  #: of which "precomputed" means skeletons
_COLUMNS = 8  #: metrics beside each other before a table cannot be read any more


@dataclass(frozen=True, kw_only=True)
class Progress:
    """How far a job is, how fast it goes, and when it may end."""

    total: int
    succeeded: int
    failed: int
    began: datetime
    elapsed: float
    ended: bool

    @property
    def done(self) -> int:
        """Items that are over."""
        return self.succeeded + self.failed

    @property
    def rate(self) -> float | None:
        """Items per second since the job started."""
        return self.done / self.elapsed if self.done and self.elapsed > 0 else None

    @property
    def eta(self) -> float | None:
        """Seconds until the last item, at the rate so far."""
        return (self.total - self.done) / self.rate if self.rate and not self.ended else None


@dataclass(frozen=True, kw_only=True)
class ErrorGroup:
    """Failed items with the same code."""

    code: str
    count: int
    meaning: str
    retryable: bool
    examples: tuple[ItemRow, ...]


@dataclass(frozen=True)
class ItemsWanted:
    """Which items of a job are shown: those in a state, after a position."""

    state: ItemState | None = None
    after: int = -1


_FIRST_ITEMS = ItemsWanted()


@dataclass(frozen=True)
class Drawing:
    """A file from which the browser draws a neuron."""

    key: str
    name: str


@dataclass(frozen=True, kw_only=True)
class JobPage:
    """Everything the page of one job says."""

    view: JobView
    progress: Progress
    items: Sequence[ItemRow]
    columns: Sequence[str]
    errors: Sequence[ErrorGroup]
    files: Sequence[ArtifactRow]  #: the job's own, then those of `items`
    events: Sequence[EventRow]  #: newest first
    wanted: ItemsWanted
    seconds: Sequence[float]  #: how long the first items took
    now: datetime
    steps: Sequence[JobRow] = ()  #: of a pipeline: the jobs that it is made of

    @property
    def cursor(self) -> int:
        """Number of the latest event this page knows of."""
        return self.events[0].id if self.events else 0

    @property
    def picture(self) -> ArtifactRow | None:
        """The picture of the whole job."""
        return next((file for file in self._own if file.media_type == "image/png"), None)

    @property
    def manifest(self) -> ArtifactRow | None:
        """The file that says where everything comes from."""
        return next((file for file in self._own if file.name == "manifest.json"), None)

    @property
    def archive(self) -> str | None:
        """Address of all files in one, where the API has it."""
        return self._link("archive")

    @property
    def neuroglancer(self) -> str | None:
        """Address of the skeletons in Neuroglancer, where the API has it."""
        return self._link("neuroglancer")

    def _link(self, rel: str) -> str | None:
        return next((link.href for link in self.view.links if link.rel == rel), None)

    @property
    def durations(self) -> list[Bin]:
        """How often items took how long."""
        return histogram(self.seconds)

    @property
    def skeletons(self) -> list[Drawing]:
        """Skeletons among the files shown, one for each item."""
        keys = {item.id: item.key for item in self.items}
        found: dict[str, Drawing] = {}
        for file in self.files:
            if file.item_id in keys and file.meta.get("format", file.name.rpartition(".")[2]) in _SKELETONS:
                found.setdefault(keys[file.item_id], Drawing(keys[file.item_id], file.name))
        return list(found.values())[:_DRAWN] if self.view.kind in _DRAWN_KINDS else []

    @property
    def matrices(self) -> ArtifactRow | None:
        """The file of matrices, if there is one."""
        return next((file for file in self._own if file.meta.get("format") == matrix.FORMAT), None)

    @property
    def next_items(self) -> int | None:
        """Position after which the next items come, if there may be any."""
        return self.items[-1].position if len(self.items) == SHOWN_ITEMS else None

    @property
    def _own(self) -> list[ArtifactRow]:
        return [file for file in self.files if file.item_id is None]

    @property
    def numbers(self) -> list[Number]:
        """How good the results are, and what they cost: over the items shown."""
        return numbers_of(self.items)

    @property
    def monitor(self) -> str | None:
        """Address of Flower for this job, if there is one."""
        return self._link("monitor")


def progress_of(job: JobRow, now: datetime) -> Progress:
    """Say how far a job is; its time runs from its start, or from its submission while it is planned."""
    began = job.started_at or job.created_at
    elapsed = ((job.finished_at or now) - began).total_seconds()
    ended = job.finished_at is not None
    counts = {"total": job.total, "succeeded": job.succeeded, "failed": job.failed}
    return Progress(**counts, began=began, elapsed=elapsed, ended=ended)


def job_page(services: Services, viewer: Viewer, job_id: str, wanted: ItemsWanted = _FIRST_ITEMS) -> JobPage:
    """Read what the page of one job shows.

    Raises
    ------
    NotFound
        There is no such job, or not for this viewer.
    """
    # Events come first: what happens during the other reads is then told again, rather than missed.
    events = services.jobs.latest_events(job_id, limit=_SHOWN_EVENTS)
    job, now = services.jobs.get(job_id, viewer), services.database.now()
    view, items = whole_view(services, job), _items(services, job_id, wanted)
    files = services.jobs.artifacts_of(job_id, [item.id for item in items])
    return JobPage(
        steps=services.pipelines.steps(job_id) if get_kind(job.kind).is_pipeline else (),
        view=view,
        progress=progress_of(job, now),
        items=items,
        columns=_columns(items),
        errors=_error_groups(services, view),
        files=files,
        events=events,
        wanted=wanted,
        seconds=services.overview.seconds(job_id),
        now=now,
    )


def _items(services: Services, job_id: str, wanted: ItemsWanted) -> list[ItemRow]:
    return services.jobs.items(job_id, state=wanted.state, after=wanted.after, limit=SHOWN_ITEMS)


def data_uri(services: Services, file: ArtifactRow | None) -> str | None:
    """Return a file's bytes as an address, or None where the store cannot give them: a report must not fail for it."""
    if file is None:
        return None
    try:
        data = services.store.get(file.sha256)
    except (NotFound, StoreUnavailable):
        return None
    return f"data:{file.media_type};base64,{b64encode(data).decode()}"


def _columns(items: Iterable[ItemRow]) -> list[str]:
    """Name the metrics found, in the order in which their kind gives them."""
    names = dict.fromkeys(name for item in items for name in item.metrics)
    return list(names)[:_COLUMNS]


def _error_groups(services: Services, view: JobView) -> list[ErrorGroup]:
    if not view.errors:
        return []
    failed = services.jobs.items(view.id, state=ItemState.FAILED, limit=SHOWN_ITEMS)
    known = {error.code: error for error in _family(CrantError)}
    return [_error_group(code, count, failed, known.get(code, CrantError)) for code, count in view.errors.items()]


def _error_group(code: str, count: int, failed: Iterable[ItemRow], known: type[CrantError]) -> ErrorGroup:
    examples = tuple(item for item in failed if item.error_code == code)[:_EXAMPLES]
    return ErrorGroup(code=code, count=count, meaning=known().message, retryable=known.retryable, examples=examples)


def _family(error: type[CrantError]) -> Iterator[type[CrantError]]:
    yield error
    for child in error.__subclasses__():
        yield from _family(child)
