"""What work was measured to cost: by kind and dataset, from the units that were done lately; and what a job took."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session

from crant_core.jobs.tables import AttemptRow, JobRow

_JOBS = 20  #: latest ones that are asked
_UNITS = 300  #: latest ones that are asked
_FEW = 5  #: units from which no spread can be told
_UNSURE = 3.0  #: then an item may cost this many times less or more


class Effort(NamedTuple):
    """What workers did: seconds of work, requests that they sent, bytes that they received."""

    seconds: float
    requests: int
    received: int


@dataclass(frozen=True, kw_only=True)
class Spread:
    """What one item costs of something.

    Attributes
    ----------
    mean : float
        Of all items measured.
    low, high : float
        Between these were the means of four units in five.
    """

    mean: float
    low: float
    high: float


@dataclass(frozen=True, kw_only=True)
class Costs:
    """What an item costs.

    Attributes
    ----------
    seconds : Spread
        Of work.
    received : Spread or None
        Bytes that come from CAVE and its buckets; None if older workers measured, which did not count them.
    items : int
        Items measured.
    """

    seconds: Spread
    received: Spread | None
    items: int


def measured(session: Session, kind: str, code_version: int, dataset: str) -> Costs | None:
    """Say what an item costs, or None where none was measured yet."""
    same = (JobRow.kind == kind, JobRow.code_version == code_version, JobRow.dataset == dataset)
    jobs = select(JobRow.id).where(*same).order_by(JobRow.number.desc()).limit(_JOBS)
    was_measured = (AttemptRow.items > 0, AttemptRow.seconds > 0)
    units = (
        select(AttemptRow.items, AttemptRow.seconds, AttemptRow.received)
        .where(AttemptRow.job_id.in_(list(session.scalars(jobs))), *was_measured)
        .order_by(AttemptRow.started_at.desc())
        .limit(_UNITS)
    )
    rows = session.execute(units).all()
    seconds = _spread([(row.items, row.seconds or 0.0) for row in rows])
    received = _spread([(row.items, row.received) for row in rows if row.received is not None])
    return Costs(seconds=seconds, received=received, items=sum(row.items for row in rows)) if seconds else None


def _spread(units: Sequence[tuple[int, float]]) -> Spread | None:
    """Summarize units, each with its items and what they took together."""
    if not units:
        return None
    mean = sum(amount for _, amount in units) / sum(items for items, _ in units)
    if len(units) < _FEW:
        return Spread(mean=mean, low=mean / _UNSURE, high=mean * _UNSURE)
    tenths = statistics.quantiles([amount / items for items, amount in units], n=10, method="inclusive")
    return Spread(mean=mean, low=min(mean, tenths[0]), high=max(mean, tenths[-1]))


def spent(session: Session, job_id: str) -> Effort:
    """Add up what workers did for a job, or for the steps of a pipeline."""
    jobs = select(JobRow.id).where(or_(JobRow.id == job_id, JobRow.parent_id == job_id))
    sums = select(func.sum(AttemptRow.seconds), func.sum(AttemptRow.requests), func.sum(AttemptRow.received))
    seconds, requests, received = session.execute(sums.where(AttemptRow.job_id.in_(jobs))).one()
    return Effort(float(seconds or 0), int(requests or 0), int(received or 0))
