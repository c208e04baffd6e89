"""What a job would be: everything that can be said of a request without asking CAVE."""

from __future__ import annotations

from collections.abc import Collection
from datetime import UTC, datetime
from math import ceil

from api.services import Services
from crant_core.jobs.repository.costs import Costs, Spread
from crant_core.jobs.repository.jobs import NewJob
from crant_core.jobs.wire import BytesView, EstimateView, SecondsView
from crant_core.kinds.addresses import addresses
from crant_core.kinds.base import KindSpec, Reuse
from crant_core.kinds.registry import get_kind
from crant_core.times import TimeBase, parse_at


def estimate(services: Services, new: NewJob) -> EstimateView:
    """Describe the job that a request would be.

    Items are taken to be the ids given: what a plan would make of them (newer ids, fewer items) only it can say.
    """
    kind = get_kind(new.kind)
    items = {0} if kind.ids_are_one_item else set(new.ids)  # a table, whatever its rows
    known = _known(services, kind, new, items) if new.reuse else 0
    left = len(items) - (known or 0)
    costs = services.estimates.costs(kind.name, kind.code_version, new.dataset)
    return EstimateView(
        given=len(new.ids),
        items=len(items),
        known=known,
        to_compute=left,
        bytes=_bytes(costs.received, left) if costs and costs.received else None,
        work=_work(costs.seconds, left) if costs else None,
        measured_items=costs.items if costs else 0,
        unmeasured=_unmeasured(kind, costs),
    )


def _known(services: Services, kind: KindSpec, new: NewJob, items: Collection[int]) -> int | None:
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


def _work(one: Spread, items: int) -> SecondsView:
    return SecondsView(low=one.low * items, expected=one.mean * items, high=one.high * items)


def _bytes(one: Spread, items: int) -> BytesView:
    return BytesView(low=int(one.low * items), expected=round(one.mean * items), high=ceil(one.high * items))


def _unmeasured(kind: KindSpec, costs: Costs | None) -> str | None:
    """Say why a number is missing, if one is."""
    if costs is None and kind.is_pipeline:
        return "it is made of other jobs: what these find to do is known once they are planned"
    if costs is None:
        return "no item of this kind was done on this dataset by this release yet"
    return None if costs.received else "bytes were not counted when such items were done"
