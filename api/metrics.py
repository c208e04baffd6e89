"""Numbers for Prometheus: what SQL says at the moment of asking, and what this process counted of its requests."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from crant_core.jobs.counting import INFINITE, SUM
from crant_core.jobs.database import Database
from crant_core.jobs.metrics import COUNTERS, DISTRIBUTIONS, GAUGES, OF_API
from crant_core.jobs.repository.counters import CounterRepository
from crant_core.jobs.repository.gauges import GaugeRepository, Sample

MEDIA_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_UNKNOWN = "(unknown)"


class Metrics:
    """What one process of the API tells Prometheus."""

    def __init__(self, database: Database, version: str) -> None:
        self.registry = CollectorRegistry()
        self.registry.register(_OfDatabase(database, version))
        requests, seconds = OF_API["crant_http_requests_total"], OF_API["crant_http_request_seconds"]
        self._requests = Counter("crant_http_requests", requests.help, requests.labels, registry=self.registry)
        self._seconds = Histogram(
            "crant_http_request_seconds", seconds.help, seconds.labels, buckets=seconds.buckets, registry=self.registry
        )

    def count(self, method: str, route: str | None, status: int, seconds: float) -> None:
        """Count a request by the route it took, as paths are without number."""
        self._requests.labels(method=method, route=route or _UNKNOWN, status=str(status)).inc()
        self._seconds.labels(route=route or _UNKNOWN).observe(seconds)

    def text(self) -> bytes:
        """Write everything as Prometheus reads it."""
        return generate_latest(self.registry)


class _OfDatabase(Collector):
    """Reads SQL at each scrape: the numbers are the service's, whichever process is asked."""

    def __init__(self, database: Database, version: str) -> None:
        self.gauges, self.counters = GaugeRepository(database), CounterRepository(database)
        self.version = version

    def describe(self) -> Iterable[Metric]:
        """Ask nobody while the application is built."""
        return ()

    def collect(self) -> Iterator[Metric]:
        """Read everything."""
        samples = [*self.gauges.samples(), ("crant_build_info", {"version": self.version}, 1.0)]
        yield from _gauges(samples)
        yield from _counters(self.counters.sums())


def _gauges(samples: Iterable[Sample]) -> Iterator[Metric]:
    families = {name: GaugeMetricFamily(name, one.help, labels=one.labels) for name, one in GAUGES.items()}
    for name, labels, value in samples:
        families[name].add_metric([labels[label] for label in GAUGES[name].labels], value)
    return iter(families.values())


def _counters(sums: Iterable[Sample]) -> Iterator[Metric]:
    """Sort sums by metric; a metric of another release is left to that."""
    found: dict[str, list[tuple[dict[str, str], float]]] = defaultdict(list)
    for name, labels, value in sums:
        found[name].append((labels, value))
    for name, one in COUNTERS.items():
        family = CounterMetricFamily(name.removesuffix("_total"), one.help, labels=one.labels)
        for labels, value in found[name]:
            family.add_metric([labels[label] for label in one.labels], value)
        yield family
    for name in DISTRIBUTIONS:
        yield _distribution(name, found[name])


def _distribution(name: str, sums: Iterable[tuple[dict[str, str], float]]) -> Metric:
    """Add buckets up: each counts what is in it, and Prometheus wants what is at or below its end."""
    metric, by_labels = DISTRIBUTIONS[name], defaultdict[tuple[str, ...], dict[str, float]](dict)
    for labels, value in sums:
        by_labels[tuple(labels[label] for label in metric.labels)][labels["le"]] = value
    family = HistogramMetricFamily(name, metric.help, labels=metric.labels)
    for values, counts in by_labels.items():
        total, buckets = 0.0, []
        for end in (*map(str, metric.buckets), INFINITE):
            total += counts.get(end, 0.0)
            buckets.append((end, total))
        family.add_metric(list(values), buckets, counts.get(SUM, 0.0))
    return family
