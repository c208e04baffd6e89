"""What work was measured to cost: by kind and dataset, from the units that were done lately."""

from __future__ import annotations

import statistics
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from crant_core.jobs.tables import AttemptRow, JobRow

_JOBS = 20  #: latest ones that are asked
_UNITS = 300  #: latest ones that are asked
_FEW = 5  #: units from which no spread can be told
_UNSURE = 3.0  #: then an item may cost this many times less or more


@dataclass(frozen=True, kw_only=True)
class Costs:
    """Seconds that an item takes.

    Attributes
    ----------
    mean : float
        Of all items measured.
    low, high : float
        Between these were the means of four units in five.
    items : int
        Items measured.
    """

    mean: float
    low: float
    high: float
    items: int


def measured(session: Session, kind: str, code_version: int, dataset: str) -> Costs | None:
    """Say what an item costs, or None where none was measured yet."""
    same = (JobRow.kind == kind, JobRow.code_version == code_version, JobRow.dataset == dataset)
    jobs = select(JobRow.id).where(*same).order_by(JobRow.number.desc()).limit(_JOBS)
    was_measured = (AttemptRow.items > 0, AttemptRow.seconds > 0)
    units = (
        select(AttemptRow.seconds, AttemptRow.items)
        .where(AttemptRow.job_id.in_(list(session.scalars(jobs))), *was_measured)
        .order_by(AttemptRow.started_at.desc())
        .limit(_UNITS)
    )
    rows = [(seconds or 0.0, items) for seconds, items in session.execute(units)]
    return _summary(rows) if rows else None


def _summary(units: list[tuple[float, int]]) -> Costs:
    items = sum(count for _, count in units)
    mean = sum(seconds for seconds, _ in units) / items
    if len(units) < _FEW:
        return Costs(mean=mean, low=mean / _UNSURE, high=mean * _UNSURE, items=items)
    tenths = statistics.quantiles([seconds / count for seconds, count in units], n=10)
    return Costs(mean=mean, low=min(mean, tenths[0]), high=max(mean, tenths[-1]), items=items)
