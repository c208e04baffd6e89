"""Counts what happens in a process, and hands it on as differences that can be added up in SQL."""

from __future__ import annotations

import json
import threading
from bisect import bisect_left
from collections import Counter
from collections.abc import Mapping

from crant_core.jobs.metrics import COUNTERS, DISTRIBUTIONS, Metric

INFINITE, SUM = "+Inf", "sum"  #: labels of a distribution's last bucket and of its sum
Key = tuple[str, str]  #: a metric's name, and its labels as JSON
Counts = Mapping[Key, float]


class Tally:
    """What was counted and not handed on yet; safe for many threads."""

    def __init__(self) -> None:
        self._counts: Counter[Key] = Counter()
        self._lock = threading.Lock()

    def add(self, name: str, amount: float = 1, **labels: str) -> None:
        """Count something; raises `KeyError` if no such metric is declared, `ValueError` if it has other labels."""
        self._add({_key(name, COUNTERS[name], labels): amount})

    def observe(self, name: str, value: float, **labels: str) -> None:
        """Count a value into its bucket; raises as `add` does."""
        metric = DISTRIBUTIONS[name]
        ends = [*map(str, metric.buckets), INFINITE]
        own = ends[bisect_left(metric.buckets, value)]
        self._add({_key(name, metric, labels, own): 1, _key(name, metric, labels, SUM): value})

    def take(self) -> Counts:
        """Return what was counted since the last time, and forget it."""
        with self._lock:
            taken, self._counts = self._counts, Counter()
        return taken

    def put_back(self, counts: Counts) -> None:
        """Take back what could not be handed on."""
        self._add(counts)

    def _add(self, counts: Counts) -> None:
        with self._lock:
            for key, amount in counts.items():
                self._counts[key] += amount  # type: ignore[assignment] # a Counter counts in fractions as well


def _key(name: str, metric: Metric, labels: Mapping[str, str], end: str | None = None) -> Key:
    if set(labels) != set(metric.labels):
        raise ValueError(f"{name} has the labels {metric.labels}, not {tuple(labels)}")
    return name, json.dumps(dict(labels) | ({"le": end} if end else {}), sort_keys=True)
