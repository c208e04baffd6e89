"""Does one unit: claim, work, record. Knows nothing of Celery, so tests run it in their own process.

A failing item fails alone and the rest goes on. An error that may pass leaves its item open and gives the unit back,
to be tried again later. A kind may prepare the items of a unit together. A unit ends early when a job waits of which
nothing is being done. A write under a lost lease raises `LeaseLost`, and the unit is somebody else's.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from types import ModuleType
from typing import Any

import stamina
import structlog
from billiard.exceptions import SoftTimeLimitExceeded

from crant_core.datasets import Dataset
from crant_core.errors import CrantError, DatabaseUnavailable, Internal, LeaseLost, TimeLimit
from crant_core.jobs.artifacts import ArtifactStore
from crant_core.jobs.counting import Tally
from crant_core.jobs.database import OUTAGE
from crant_core.jobs.logs import in_hand
from crant_core.jobs.model import Queue, Role
from crant_core.jobs.repository.jobs import JobRepository, Viewer
from crant_core.jobs.repository.pipelines import NewStep, PipelineRepository
from crant_core.jobs.repository.planning import CHUNK, NewItem, PlanRepository
from crant_core.jobs.repository.recording import StoredFile
from crant_core.jobs.repository.results import ResultRows
from crant_core.jobs.repository.reuse import batches
from crant_core.jobs.repository.stored import StoredRepository
from crant_core.jobs.repository.units import ClaimedUnit, UnitRepository
from crant_core.jobs.tables import JobRow
from crant_core.jobs.tracing import Attribute, span
from crant_core.kinds.addresses import Address, addresses
from crant_core.kinds.base import (
    AS_OF,
    EARLIER,
    Context,
    EarlierResult,
    Feed,
    KindSpec,
    Pipeline,
    PlannedItem,
    Step,
)
from crant_core.kinds.registry import get_kind, load_runner
from crant_core.sources import limits
from crant_core.sources.base import Source
from crant_core.sources.limits import bytes_received, requests_sent
from crant_core.times import TimeBase, check_past, parse_at
from worker import manifest
from worker.done import DoneItems
from worker.items import Items
from worker.looking import Looker
from worker.losses import forget_lost
from worker.outbox import Outbox
from worker.problems import explained
from worker.rows import rows_of
from worker.storing import store_file

log = structlog.get_logger()

_ANYBODY = Viewer(owner="", sees_all=True)
_CHECK_SECONDS = 1.0  #: between two looks whether a unit is still ours, and whether somebody waits for its process

#: a database outage of this long costs waiting, not work
_patiently = stamina.retry(on=OUTAGE, timeout=45, attempts=None, wait_max=5.0)


class Runner:
    """Executes units with the science of their kind."""

    def __init__(
        self,
        units: UnitRepository,
        jobs: JobRepository,
        store: ArtifactStore,
        open_source: Callable[[str], Source],
        *,
        sql_rows: int = 100_000,
        heavy_vertices: int | None = None,
        counts: Tally | None = None,
    ) -> None:
        self.units = units
        self.plans = PlanRepository(units)
        self.stored = StoredRepository(units.database)
        self.pipelines = PipelineRepository(units.database)
        self.looker = Looker(jobs, store)
        self.jobs = jobs
        self.store = store
        self.open_source = open_source
        self.sql_rows = sql_rows
        self.heavy_vertices = heavy_vertices
        self.counts = counts or Tally()

    def execute(self, unit_id: int, token: str, worker: str) -> str:
        """Do a unit if it is still to be had, and say in a word what became of it."""
        unit = self.units.claim(unit_id, token, worker)
        if unit is None:
            self.counts.add("crant_hints_stale_total")
            return "stale"
        kind, role = unit.job.kind, unit.role.value
        ids: dict[str, Attribute] = {"job": unit.job.id, "unit": unit.id, "role": role, "kind": kind, "attempt": token}
        with in_hand(**ids), span(f"{kind}.{role}", unit.job.traceparent, everywhere=True, **ids):
            return self._measured(unit)

    def _measured(self, unit: ClaimedUnit) -> str:
        began, sent, came, how = time.perf_counter(), requests_sent(), bytes_received(), Internal.code
        try:
            how = self._execute(unit)
            return how
        finally:
            kind, role = unit.job.kind, unit.role.value
            seconds, requests = time.perf_counter() - began, requests_sent() - sent
            self.counts.add("crant_units_total", kind=kind, role=role, outcome=how)
            self.counts.observe("crant_unit_seconds", seconds, kind=kind, role=role)
            received = bytes_received() - came
            _patiently(self.units.note_cost)(unit.token, seconds=seconds, requests=requests, received=received)

    def _execute(self, unit: ClaimedUnit) -> str:
        work = {Role.PLAN: self._plan, Role.RUN: self._run, Role.FINISH: self._finish}
        try:
            work[unit.role](unit)
        except LeaseLost as error:
            log.warning("lease lost", action="unit_fenced", error=str(error))
            return error.code
        except CrantError as error:
            log.warning("unit not done", action="unit_returned", code=error.code, error=str(error))
            self.units.give_back(unit.token, error)
            return error.code
        except SoftTimeLimitExceeded:  # while something was recorded, say: no item's fault
            self.units.give_back(unit.token, TimeLimit())
            return TimeLimit.code
        except OUTAGE as error:  # longer than anybody waits, or where nobody did: no item's fault
            _patiently(self.units.give_back)(unit.token, explained(error))
            return DatabaseUnavailable.code
        except Exception as error:
            self.units.give_back(unit.token, Internal(f"{type(error).__name__}: {error}"))
            raise
        log.info("unit done", action="unit_done")
        return "done"

    def _plan(self, unit: ClaimedUnit) -> None:
        kind, module = _science(unit)
        source = self.open_source(unit.job.dataset)
        moment = _time_of(unit) if unit.job.timestamp else source.resolve_time(parse_at(unit.job.at))
        check_past(moment.timestamp)
        if kind.is_pipeline:
            self._plan_steps(unit, module, source, moment)
            return
        feed = self._feed(unit, source, moment)
        address = addresses(kind, source.dataset, unit.job.parameters, moment)
        _patiently(self.plans.begin)(unit, kind.code_version)
        context = self._context(unit, source, moment)
        is_idle = context.is_step and not feed.ids  # a job may have no ids: its parameters say what it is about
        position, planned = 0, () if is_idle else module.plan(context, feed.ids)
        for chunk in batches(planned, CHUNK):
            items = [_new_item(item, address, feed) for item in chunk]
            self._forget_lost(unit, [item.address for item in items])
            _patiently(self.plans.add)(unit, position, items)
            position += len(items)
        sizes = {"first_size": kind.items_per_unit, "largest_size": kind.most_items}
        _patiently(self.plans.complete)(unit, moment, **sizes, renewed=len(feed.earlier) / max(1, position))

    def _forget_lost(self, unit: ClaimedUnit, addresses: Sequence[str | None]) -> None:
        if unit.job.reuse and (known := [address for address in addresses if address is not None]):
            _patiently(forget_lost)(self.stored, self.store, known)

    def _plan_steps(self, unit: ClaimedUnit, module: Any, source: Source, moment: TimeBase) -> None:
        planned: Pipeline = module.steps(self._context(unit, source, moment), self.jobs.input_ids(unit.job))
        steps = [_new_step(step) for step in planned.steps]
        _patiently(self.pipelines.start)(unit, moment, steps, planned.ids, planned.previous)

    def _feed(self, unit: ClaimedUnit, source: Source, moment: TimeBase) -> Feed:
        """Find out what a job works on: it was told so, or it is a step, and its pipeline knows."""
        if unit.job.parent_id is None:
            return Feed(ids=self.jobs.input_ids(unit.job))
        parent = self._pipeline(unit)
        context = replace(self._context(unit, source, moment), parameters=parent.parameters)
        feed: Feed = load_runner(get_kind(parent.kind)).feed(context, unit.job.step)
        _patiently(self.pipelines.feed)(unit, feed.ids, feed.parameters)
        return feed if unit.job.reuse else replace(feed, since={}, earlier={})

    def _run(self, unit: ClaimedUnit) -> None:
        kind, module = _science(unit)
        if kind.code_version != unit.job.code_version:
            unit = _unaddressed(unit)
        limits.allow_meshes(None if unit.queue is Queue.HEAVY else self.heavy_vertices)
        if unit.job.reuse and any(item.address for item in unit.items):
            self._forget_lost(unit, [item.address for item in unit.items])
            unit = _patiently(self.units.take_known)(unit)
        outbox = Outbox(self.units, unit, _patiently)
        context = self._context(unit, self.open_source(unit.job.dataset), _time_of(unit))
        planned = {item.key: item.metrics for item in unit.items}
        context = _prepared(unit, module, replace(context, planned=planned, earlier=self._earlier(unit)))
        with Items(unit, module, context, self.store, self.counts) as items:
            try:
                self._run_items(items, outbox)
            except TimeLimit:
                outbox.flush()
                raise

    def _run_items(self, items: Items, outbox: Outbox) -> None:
        """Do one item after the other, until somebody waits for the process."""
        unit, is_time = items.unit, _every(_CHECK_SECONDS)
        for number, item in enumerate(unit.items):
            if number and items.context.prepared is None and is_time() and _patiently(self.units.is_awaited)(unit):
                outbox.close(rest=unit.items[number:])
                return
            outbox.add(items.run(item))
        outbox.close()

    def _earlier(self, unit: ClaimedUnit) -> dict[str, EarlierResult]:
        """Find the results that items can be made from; whose files are gone is made anew."""
        named = {item.key: item.metrics[EARLIER] for item in unit.items if item.metrics.get(EARLIER)}
        if not named:
            return {}
        _patiently(forget_lost)(self.stored, self.store, named.values())
        return self.looker.earlier(self._pipeline(unit), named)

    def _finish(self, unit: ClaimedUnit) -> None:
        _, module = _science(unit)
        context = self._context(unit, self.open_source(unit.job.dataset), _time_of(unit))
        done = DoneItems(self.units, unit.job.id, context.check)
        context = replace(context, read=partial(self.looker.read, unit.job.id, known=done.files))
        made = [] if unit.job.parent_id and not unit.job.total else module.finish(context, done)
        rows = [rows_of(file, self.sql_rows) for file in made if file.table is not None]
        files = [store_file(self.store, file) for file in made]
        files.append(self._store_manifest(unit, context.source.dataset, files, rows))
        _patiently(self.units.complete_finish)(unit, files, rows)

    def _store_manifest(
        self, unit: ClaimedUnit, dataset: Dataset, files: Sequence[StoredFile], rows: Sequence[ResultRows]
    ) -> StoredFile:
        sha256, size = self.store.put_parts(manifest.manifest(self.jobs, unit.job, dataset, files, rows))
        return StoredFile(name=manifest.NAME, media_type=manifest.MEDIA_TYPE, size=size, sha256=sha256, meta={})

    def _context(self, unit: ClaimedUnit, source: Source, moment: TimeBase) -> Context:
        viewer = Viewer(owner=unit.job.owner)
        return Context(
            source=source,
            time=moment,
            parameters=unit.job.parameters,
            read=partial(self.looker.read, unit.job.id),
            ids=partial(self.jobs.input_ids, unit.job),
            check=self._checker(unit),
            is_step=unit.job.parent_id is not None,
            results_of=lambda job_id: self.looker.results(self.jobs.get(job_id, viewer)),
            pipeline=lambda: self.looker.results(self._pipeline(unit)),
            previous=lambda name: self.looker.previous(self._pipeline(unit), name),
        )

    def _pipeline(self, unit: ClaimedUnit) -> JobRow:
        """Return the job that this one is a step of, else itself."""
        return self.jobs.get(unit.job.parent_id or unit.job.id, _ANYBODY)

    def _checker(self, unit: ClaimedUnit) -> Callable[[], None]:
        """Return what asks now and then whether the unit is still this worker's."""
        is_time = _every(_CHECK_SECONDS)

        def check() -> None:
            if is_time() and not _patiently(self.units.is_held)(unit):
                raise LeaseLost(value=unit.token)

        return check


def _unaddressed(unit: ClaimedUnit) -> ClaimedUnit:
    """Let nobody find these results: they are of newer code than the addresses say, which an older release gave."""
    for item in unit.items:
        item.address = None  # of the row in our hands only
    return unit


def _new_step(step: Step) -> NewStep:
    kind = get_kind(step.kind)
    return NewStep(
        name=step.name, kind=kind.name, code_version=kind.code_version, queue=Queue(kind.queue), after=step.after
    )


def _new_item(item: PlannedItem, address: Address, feed: Feed) -> NewItem:
    """Describe an item as it is stored, with what its pipeline said about results of before."""
    since, earlier = feed.since.get(item.key), feed.earlier.get(item.key)
    as_of = {} if since is None else {AS_OF: since.isoformat()}
    before = {} if earlier is None else {EARLIER: address(item.key, item.basis, earlier)}
    found = address(item.key, item.basis, since)
    return NewItem(key=item.key, error=item.error, address=found, metrics=item.metrics | as_of | before)


def _every(seconds: float) -> Callable[[], bool]:
    """Return what is true when it was not for so long."""
    last = time.monotonic()

    def is_time() -> bool:
        nonlocal last
        if time.monotonic() - last < seconds:
            return False
        last = time.monotonic()
        return True

    return is_time


def _science(unit: ClaimedUnit) -> tuple[KindSpec, Any]:
    kind = get_kind(unit.job.kind)
    return kind, load_runner(kind)


def _prepared(unit: ClaimedUnit, module: ModuleType, context: Context) -> Context:
    """Let the kind prepare all items at once, if it can; an error that may pass is raised and gives the unit back.

    Of any other error nobody knows which item is to blame: then items run unprepared, and the guilty one fails alone.
    """
    prepare = getattr(module, "prepare", None)
    if prepare is None or not unit.items:
        return context
    try:
        return replace(context, prepared=prepare(context, [item.key for item in unit.items]))
    except Exception as error:
        problem = explained(error)
        if problem.retryable or isinstance(problem, (TimeLimit, LeaseLost)):
            raise problem from error
        log.warning("unit not prepared", action="unit_unprepared", code=problem.code, error=str(problem), exc_info=True)
        return context


def _time_of(unit: ClaimedUnit) -> TimeBase:
    """Return the one point in time that the plan settled for this job."""
    if unit.job.timestamp is None:
        raise Internal(f"job {unit.job.id} runs before it was planned")
    return TimeBase(asked=unit.job.at, timestamp=unit.job.timestamp, version=unit.job.version)
