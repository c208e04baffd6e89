"""Does one unit: claim, work, record. Knows nothing of Celery, so tests run it in their own process.

A failing item fails alone and the rest goes on. An error that may pass leaves its item open and gives the unit back,
to be tried again later. A kind may prepare the items of a unit together. A write under a lost lease raises `LeaseLost`,
and the unit is somebody else's.
"""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable
from dataclasses import replace
from types import ModuleType
from typing import Any

import stamina
import structlog
from billiard.exceptions import SoftTimeLimitExceeded
from sqlalchemy.exc import OperationalError

from crant_core.errors import CrantError, Internal, LeaseLost, TimeLimit
from crant_core.jobs.artifacts import ArtifactStore
from crant_core.jobs.model import Role
from crant_core.jobs.repository.jobs import JobRepository
from crant_core.jobs.repository.units import ClaimedUnit, NewItem, StoredFile, UnitRepository
from crant_core.jobs.tables import ItemRow
from crant_core.kinds.base import Context, DoneItem, File, KindSpec
from crant_core.kinds.registry import get_kind, load_runner
from crant_core.sources.base import Source
from crant_core.times import TimeBase, parse_at
from worker.manifest import manifest

log = structlog.get_logger()

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
    ) -> None:
        self.units = units
        self.jobs = jobs
        self.store = store
        self.open_source = open_source

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
        except Exception as error:
            self.units.give_back(unit.token, Internal(f"{type(error).__name__}: {error}"))
            raise
        log.info("unit done", action="unit_done")
        return "done"

    def _plan(self, unit: ClaimedUnit) -> None:
        kind, module = _science(unit)
        ids = self.units.input_ids(unit.job)
        source = self.open_source(unit.job.dataset)
        moment = source.resolve_time(parse_at(unit.job.at))
        planned = module.plan(self._context(unit, source, moment), ids)
        items = [NewItem(key=item.key, error=item.error, metrics=item.metrics) for item in planned]
        _patiently(self.units.complete_plan)(unit, moment, items, kind.items_per_unit)

    def _run(self, unit: ClaimedUnit) -> None:
        _, module = _science(unit)
        context = _prepared(unit, module, self._context(unit, self.open_source(unit.job.dataset), _time_of(unit)))
        postponed = [error for item in unit.items if (error := self._run_item(unit, module, context, item))]
        if postponed:
            raise postponed[0]
        _patiently(self.units.complete_run)(unit)

    def _run_item(self, unit: ClaimedUnit, module: ModuleType, context: Context, item: ItemRow) -> CrantError | None:
        """Do one item; return an error that may pass, which leaves the item open."""
        began = time.perf_counter()
        try:
            result = module.run(context, item.key)
            files = [self._store(file) for file in result.files]
        except Exception as error:  # noqa: BLE001 - stored with the item; the others go on
            problem = _explain(error)
            if problem.retryable:
                return problem
            log.warning("item failed", action="item_failed", item=item.key, code=problem.code, error=str(problem))
            trace, seconds = traceback.format_exc(), time.perf_counter() - began
            _patiently(self.units.fail_item)(unit, item, problem, trace, seconds)
            return None
        _patiently(self.units.succeed_item)(unit, item, result.metrics, files, time.perf_counter() - began)
        return None

    def _finish(self, unit: ClaimedUnit) -> None:
        _, module = _science(unit)
        context = self._context(unit, self.open_source(unit.job.dataset), _time_of(unit))
        done = self.units.done_items(unit.job.id)
        items = [DoneItem(key=row.key, metrics=row.metrics, files=tuple(names)) for row, names in done]
        files = [self._store(file) for file in module.finish(context, items)]
        files.append(self._store(manifest(self.jobs, unit.job, context.source.dataset, files)))
        _patiently(self.units.complete_finish)(unit, files)

    def _context(self, unit: ClaimedUnit, source: Source, moment: TimeBase) -> Context:
        def read(name: str) -> bytes:
            return self.store.get(self.jobs.artifact(unit.job.id, name).sha256)

        return Context(source=source, time=moment, parameters=unit.job.parameters, read=read)

    def _store(self, file: File) -> StoredFile:
        sha256 = self.store.put(file.data)
        return StoredFile(
            name=file.name, media_type=file.media_type, size=len(file.data), sha256=sha256, meta=dict(file.meta)
        )


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
        if problem.retryable:
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
