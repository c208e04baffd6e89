"""Stores what a plan found, in chunks: a million items need the memory of one chunk, and no writer waits long.

A plan that is made again after a crash begins from nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import delete, insert, select

from crant_core.errors import CrantError
from crant_core.jobs.model import ItemState, JobState, UnitState
from crant_core.jobs.repository.costs import measured
from crant_core.jobs.repository.ending import end_attempt, hold, start_finish
from crant_core.jobs.repository.events import append, move
from crant_core.jobs.repository.reuse import copy_files, known
from crant_core.jobs.repository.units import ClaimedUnit, UnitRepository
from crant_core.jobs.tables import ArtifactRow, ItemRow, JobRow, ResultRow, table_of
from crant_core.times import TimeBase

CHUNK = 5000  #: items in one transaction
_SPARED = 0.9  #: of what an item costs, where its result is made from that of a run before


@dataclass(frozen=True, kw_only=True)
class NewItem:
    """One planned item; with an error it is over before it began."""

    key: str
    error: CrantError | None = None
    address: str | None = None  #: names its result, if that can serve others
    metrics: dict[str, Any] = field(default_factory=dict)


class PlanRepository:
    """Stores plans, for the worker that holds the plan unit."""

    def __init__(self, units: UnitRepository) -> None:
        self.database = units.database

    def begin(self, unit: ClaimedUnit, code_version: int | None = None) -> None:
        """Forget what an earlier attempt at this plan left behind; from now on the job is of this version of its kind.

        It was submitted by an older release if that differs: then workers of that release leave it alone.
        """
        with self.database.writing() as session:
            job, _ = hold(session, unit.job.id, unit.id, unit.token)
            if job.total:
                session.execute(delete(ArtifactRow).where(ArtifactRow.job_id == job.id))
                session.execute(delete(ItemRow).where(ItemRow.job_id == job.id))
            job.code_version = code_version or job.code_version
            job.total = job.succeeded = job.failed = job.cancelled = job.reused = job.uncut = 0

    def add(self, unit: ClaimedUnit, position: int, items: Sequence[NewItem]) -> None:
        """Store the items from a position on. A chunk that is there already is left alone, so this can be repeated.

        Raises
        ------
        LeaseLost
            The plan is somebody else's by now; nothing is changed.
        """
        with self.database.writing() as session:
            (job, _), now = hold(session, unit.job.id, unit.id, unit.token), self.database.now()
            if job.total > position or not items:
                return
            addresses = [item.address for item in items if item.address is not None]
            found = known(session, addresses, hold=True) if job.reuse else {}
            rows = [_row(job.id, position + n, item, found, now) for n, item in enumerate(items)]
            session.connection().execute(insert(table_of(ItemRow)), rows)
            _count(job, rows, reused=sum(item.address in found for item in items))
            if found:
                reused = (ItemRow.state == ItemState.SUCCEEDED, ItemRow.position >= position)
                copy_files(
                    session, job, session.scalars(select(ItemRow.id).where(ItemRow.job_id == job.id, *reused)), now
                )

    def complete(
        self, unit: ClaimedUnit, time: TimeBase, *, first_size: int, largest_size: int, renewed: float = 0.0
    ) -> None:
        """End the plan and start the job.

        Parameters
        ----------
        unit : ClaimedUnit
        time : TimeBase
            The job's one point in time.
        first_size, largest_size : int
            Items in a unit while nothing is known of their cost, and at most.
        renewed : float
            Share of the items that are made from results of a run before, which is little work.
        """
        with self.database.writing() as session:
            (job, row), now = hold(session, unit.job.id, unit.id, unit.token), self.database.now()
            row.state, row.lease_until = UnitState.DONE, None
            end_attempt(session, unit.token, now, "done")
            job.timestamp, job.version, job.started_at = time.timestamp, time.version, now
            job.first_size, job.largest_size = first_size, max(first_size, largest_size)
            costs = measured(session, job.kind, job.code_version, job.dataset)
            job.item_seconds = costs.seconds.mean * (1 - _SPARED * renewed) if costs else None
            moment = {"asked": job.at, "timestamp": time.timestamp.isoformat(), "version": time.version}
            append(session, job, now, "planned", reused=job.reused, **moment)
            if job.uncut:
                move(session, job, now, JobState.RUNNING)
            else:
                start_finish(session, job, now)


def _row(job_id: str, position: int, item: NewItem, found: dict[str, ResultRow], now: datetime) -> dict[str, Any]:
    error, result = item.error, found.get(item.address or "")
    state = ItemState.FAILED if error else ItemState.SUCCEEDED if result else ItemState.PENDING
    return {
        "job_id": job_id,
        "position": position,
        "key": item.key,
        "address": item.address,
        "metrics": item.metrics | result.metrics if result else item.metrics,
        "state": state,
        "error_code": error and error.code,
        "error_message": error and str(error),
        "finished_at": None if state == ItemState.PENDING else now,
        "attempts": 0,
        "crashes": 0,
    }


def _count(job: JobRow, rows: Sequence[dict[str, Any]], *, reused: int) -> None:
    job.total += len(rows)
    job.reused += reused
    job.succeeded += sum(row["state"] == ItemState.SUCCEEDED for row in rows)
    job.failed += sum(row["state"] == ItemState.FAILED for row in rows)
    job.uncut += sum(row["state"] == ItemState.PENDING for row in rows)
