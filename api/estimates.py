"""What a job would be: everything that can be said of a request without asking CAVE."""

from __future__ import annotations

from datetime import UTC, datetime

from api.services import Services
from crant_core.jobs.repository.costs import Costs
from crant_core.jobs.repository.jobs import NewJob
from crant_core.jobs.wire import EstimateView, SecondsView
from crant_core.kinds.addresses import addresses
from crant_core.kinds.base import KindSpec, Reuse
from crant_core.kinds.registry import get_kind
from crant_core.times import TimeBase, parse_at


def estimate(services: Services, new: NewJob) -> EstimateView:
    """Describe the job that a request would be.

    Items are taken to be the ids given: what a plan would make of them (newer ids, fewer items) only it can say.
    """
    kind = get_kind(new.kind)
    items = [0] if kind.ids_are_one_item else list(dict.fromkeys(new.ids))  # a table, whatever its rows
    known = _known(services, kind, new, items) if new.reuse else 0
    left = len(items) - (known or 0)
    costs = services.estimates.costs(kind.name, kind.code_version, new.dataset)
    return EstimateView(
        given=len(new.ids),
        items=len(items),
        known=known,
        to_compute=left,
        bytes=None if kind.bytes_per_item is None else left * kind.bytes_per_item,
        work=_work(costs, left) if costs else None,
        measured_items=costs.items if costs else 0,
    )


def _known(services: Services, kind: KindSpec, new: NewJob, items: list[int]) -> int | None:
    if kind.reuse is Reuse.NEVER:
        return 0
    timestamp = _timestamp(services, new) if kind.reuse is Reuse.SAME_TIME else datetime.now(UTC)
    if timestamp is None:
        return None
    moment = TimeBase(asked=new.at, timestamp=timestamp)
    address = addresses(kind, services.dataset(new.dataset), new.parameters, moment)
    return services.estimates.known(found for item in items if (found := address(str(item))) is not None)


def _timestamp(services: Services, new: NewJob) -> datetime | None:
    at = parse_at(new.at)
    return services.estimates.moment_of(new.dataset, at.version) if at.version is not None else at.timestamp


def _work(costs: Costs, items: int) -> SecondsView:
    return SecondsView(low=costs.low * items, expected=costs.mean * items, high=costs.high * items)
