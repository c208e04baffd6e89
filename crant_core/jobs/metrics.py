"""Every number that the service tells Prometheus, declared once: what it means, and which labels it has.

Labels have few values: kinds, states, queues, error codes, parts of CAVE. Nothing of a person's, a job's or a neuron's
is among them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

_SECONDS = (0.1, 0.5, 1.0, 5.0, 15.0, 60.0, 300.0, 1800.0)
_FAST = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)


@dataclass(frozen=True)
class Metric:
    """One number, or one for each combination of its labels.

    Attributes
    ----------
    help : str
    labels : tuple of str
    buckets : tuple of float
        Upper ends, if it is a distribution.
    """

    help: str
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] = ()


#: what is so now, read from SQL at each scrape
GAUGES: Mapping[str, Metric] = {
    "crant_jobs": Metric("Jobs that are kept, by state", ("kind", "state")),
    "crant_job_items": Metric("Items of the jobs that are kept; reused: by a result that existed", ("kind", "state")),
    "crant_units": Metric("Units that are not over; offered: queued, and waiting in the broker", ("queue", "state")),
    "crant_queue_units": Metric("Units that could be done now, those not cut yet included", ("queue",)),
    "crant_queue_oldest_seconds": Metric("How long the unit has waited that has waited longest", ("queue",)),
    "crant_dispatcher_lag_seconds": Metric("Time since a dispatcher last looked for work; -1: there never was one"),
    "crant_build_info": Metric("Always 1; the release", ("version",)),
}
#: what workers counted since ever; a process that is killed takes what it counted in its last seconds with it
COUNTERS: Mapping[str, Metric] = {
    "crant_units_total": Metric("Attempts at units, by how they ended", ("kind", "role", "outcome")),
    "crant_items_total": Metric("Items that workers worked on, by what became of them", ("kind", "state")),
    "crant_item_errors_total": Metric("Errors of items, those that may pass included", ("kind", "code")),
    "crant_leases_expired_total": Metric("Units taken from workers that were silent for too long"),
    "crant_hints_stale_total": Metric("Messages about units that were not to be had any more"),
    "crant_cave_requests_total": Metric(
        "Requests to CAVE and buckets, repeated ones included; status: no answer if none came",
        ("server", "endpoint", "method", "status"),
    ),
    "crant_cave_received_bytes_total": Metric(
        "Bytes of answers of CAVE and buckets as they came, without headers", ("server", "endpoint")
    ),
    "crant_cache_lookups_total": Metric("Looks for what is kept on disk", ("cache", "found")),
}
DISTRIBUTIONS: Mapping[str, Metric] = {
    "crant_unit_seconds": Metric("Duration of attempts at units", ("kind", "role"), _SECONDS),
    "crant_item_seconds": Metric("Duration of items", ("kind",), _SECONDS),
    "crant_cave_request_seconds": Metric("Duration of requests to CAVE and buckets", ("server", "endpoint"), _SECONDS),
}
#: what each process of the API counts by itself
OF_API: Mapping[str, Metric] = {
    "crant_http_requests_total": Metric("Requests to the API", ("method", "route", "status")),
    "crant_http_request_seconds": Metric("Duration of requests to the API", ("route",), _FAST),
}
EVERY: Mapping[str, Metric] = {**GAUGES, **COUNTERS, **DISTRIBUTIONS, **OF_API}
