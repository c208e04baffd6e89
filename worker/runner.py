"""Does one unit: claim, work, record. Knows nothing of Celery, so tests run it in their own process.

A failing item fails alone and the rest goes on. An error that may pass leaves its item open and gives the unit back,
to be tried again later. A kind may prepare the items of a unit together. A write under a lost lease raises `LeaseLost`,
and the unit is somebody else's.
"""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from types import ModuleType
from typing import Any

import stamina
import structlog
from billiard.exceptions import SoftTimeLimitExceeded
from sqlalchemy.exc import OperationalError

from crant_core.errors import CrantError, Internal, LeaseLost, TimeLimit
from crant_core.jobs.artifacts import ArtifactStore
from crant_core.jobs.model import Role
from crant_core.jobs.repository.jobs import JobRepository, Viewer
from crant_core.jobs.repository.planning import CHUNK, NewItem, PlanRepository
from crant_core.jobs.repository.recording import Outcome, StoredFile
from crant_core.jobs.repository.reuse import batches
from crant_core.jobs.repository.units import ClaimedUnit, UnitRepository
from crant_core.jobs.tables import ItemRow
from crant_core.kinds.addresses import addresses
from crant_core.kinds.base import Context, DoneItem, File, JobResults, KindSpec, PlannedItem
from crant_core.kinds.registry import get_kind, load_runner
from crant_core.sources.base import Source
from crant_core.times import TimeBase, parse_at
from worker.manifest import manifest
from worker.outbox import Outbox
from worker.rows import rows_of

log = structlog.get_logger()

_CHECK_SECONDS = 1.0  #: between two looks whether a unit is still ours

#: a database outage of this long costs waiting, not work
_patiently = stamina.retry(on=OperationalError, timeout=45, attempts=None, wait_max=5.0)


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
    ) -> None:
        self.units = units
        self.plans = PlanRepository(units)
        self.jobs = jobs
        self.store = store
        self.open_source = open_source
        self.sql_rows = sql_rows

    def execute(self, unit_id: int, token: str, worker: str) -> str:
        """Do a unit if it is still to be had, and say in a word what became of it."""
        unit = self.units.claim(unit_id, token, worker)
        if unit is None:
            return "stale"
        with structlog.contextvars.bound_contextvars(job=unit.job.id, unit=unit.id, role=unit.role):
            return self._execute(unit)

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
        except Exception as error:
            self.units.give_back(unit.token, Internal(f"{type(error).__name__}: {error}"))
            raise
        log.info("unit done", action="unit_done")
        return "done"

    def _plan(self, unit: ClaimedUnit) -> None:
        kind, module = _science(unit)
        ids = self.jobs.input_ids(unit.job)
        source = self.open_source(unit.job.dataset)
        moment = source.resolve_time(parse_at(unit.job.at))
        address = addresses(kind, source.dataset, unit.job.parameters, moment)
        _patiently(self.plans.begin)(unit, kind.code_version)
        position, planned = 0, module.plan(self._context(unit, source, moment), ids)
        for chunk in batches(planned, CHUNK):
            items = [_new_item(item, address) for item in chunk]
            _patiently(self.plans.add)(unit, position, items)
            position += len(items)
        _patiently(self.plans.complete)(unit, moment, first_size=kind.items_per_unit, largest_size=kind.most_items)

    def _run(self, unit: ClaimedUnit) -> None:
        kind, module = _science(unit)
        if kind.code_version != unit.job.code_version:
            unit = _unaddressed(unit)
        if unit.job.reuse and any(item.address for item in unit.items):
            unit = _patiently(self.units.take_known)(unit)
        outbox = Outbox(self.units, unit, _patiently)
        context = _prepared(unit, module, self._context(unit, self.open_source(unit.job.dataset), _time_of(unit)))
        try:
            for item in unit.items:
                outbox.add(self._run_item(module, context, item))
        except TimeLimit:
            outbox.flush()
            raise
        outbox.close()

    def _run_item(self, module: ModuleType, context: Context, item: ItemRow) -> Outcome:
        """Do one item; an error that may pass leaves it open.

        Raises
        ------
        TimeLimit
            The time of the unit is up. Whether this item took it, or the others before it, nobody knows.
        LeaseLost
            Nobody wants the result any more.
        """
        began = time.perf_counter()
        try:
            result = module.run(context, item.key)
            files, cost = self._stored(result.files)
        except (SoftTimeLimitExceeded, LeaseLost) as error:
            raise _explain(error) from error
        except Exception as error:  # noqa: BLE001 - stored with the item; the others go on
            problem, trace = _explain(error), traceback.format_exc()
            log.warning("item failed", action="item_failed", item=item.key, code=problem.code, error=str(problem))
            return Outcome(item=item, seconds=time.perf_counter() - began, error=problem, traceback=trace)
        return Outcome(item=item, seconds=time.perf_counter() - began, metrics=result.metrics | cost, files=files)

    def _finish(self, unit: ClaimedUnit) -> None:
        _, module = _science(unit)
        context = self._context(unit, self.open_source(unit.job.dataset), _time_of(unit))
        done = self.units.done_items(unit.job.id)
        items = [DoneItem(key=row.key, metrics=row.metrics, files=tuple(names)) for row, names in done]
        made = module.finish(context, items)
        rows = [rows_of(file, self.sql_rows) for file in made if file.table is not None]
        files = [self._store(file) for file in made]
        files.append(self._store(manifest(self.jobs, unit.job, context.source.dataset, files, rows)))
        _patiently(self.units.complete_finish)(unit, files, rows)

    def _context(self, unit: ClaimedUnit, source: Source, moment: TimeBase) -> Context:
        def results_of(job_id: str) -> JobResults:
            other = self.jobs.get(job_id, Viewer(owner=unit.job.owner))
            return JobResults(kind=other.kind, parameters=other.parameters, read=partial(self._read, other.id))

        return Context(
            source=source,
            time=moment,
            parameters=unit.job.parameters,
            read=partial(self._read, unit.job.id),
            ids=partial(self.jobs.input_ids, unit.job),
            check=self._checker(unit),
            results_of=results_of,
        )

    def _read(self, job_id: str, name: str) -> bytes:
        return self.store.get(self.jobs.artifact(job_id, name).sha256)

    def _checker(self, unit: ClaimedUnit) -> Callable[[], None]:
        """Return what asks now and then whether the unit is still this worker's."""
        asked = time.monotonic()

        def check() -> None:
            nonlocal asked
            if time.monotonic() - asked < _CHECK_SECONDS:
                return
            asked = time.monotonic()
            if not self.units.is_held(unit):
                raise LeaseLost(value=unit.token)

        return check

    def _stored(self, files: Sequence[File]) -> tuple[list[StoredFile], dict[str, float]]:
        """Store an item's files, and say how long that took; nothing of an item without files."""
        began = time.perf_counter()
        stored = [self._store(file) for file in files]
        return stored, {"storage_seconds": time.perf_counter() - began} if stored else {}

    def _store(self, file: File) -> StoredFile:
        sha256 = self.store.put(file.data)
        return StoredFile(
            name=file.name, media_type=file.media_type, size=len(file.data), sha256=sha256, meta=dict(file.meta)
        )


def _unaddressed(unit: ClaimedUnit) -> ClaimedUnit:
    """Let nobody find these results: they are of newer code than the addresses say, which an older release gave."""
    for item in unit.items:
        item.address = None  # of the row in our hands only
    return unit


def _new_item(item: PlannedItem, address: Callable[[str], str | None]) -> NewItem:
    return NewItem(key=item.key, error=item.error, address=address(item.key), metrics=item.metrics)


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
        problem = _explain(error)
        if problem.retryable or isinstance(problem, (TimeLimit, LeaseLost)):
            raise problem from error
        log.warning("unit not prepared", action="unit_unprepared", code=problem.code, error=str(problem), exc_info=True)
        return context


def _time_of(unit: ClaimedUnit) -> TimeBase:
    """Return the one point in time that the plan settled for this job."""
    if unit.job.timestamp is None:
        raise Internal(f"job {unit.job.id} runs before it was planned")
    return TimeBase(asked=unit.job.at, timestamp=unit.job.timestamp, version=unit.job.version)


def _explain(error: Exception) -> CrantError:
    if isinstance(error, CrantError):
        return error
    if isinstance(error, SoftTimeLimitExceeded):
        return TimeLimit()
    return Internal(f"{type(error).__name__}: {error}")
