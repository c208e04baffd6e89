"""Times two ways of doing a thing in turns, so that a machine that slows down slows both."""

from __future__ import annotations

import time
from collections.abc import Callable
from statistics import median


def cpu_seconds(work: Callable[[], object]) -> float:
    """Return the CPU time that one call takes in this process, all threads together."""
    began = time.process_time()
    work()
    return time.process_time() - began


def in_turns(ours: Callable[[], object], theirs: Callable[[], object], rounds: int) -> tuple[float, float]:
    """Return the median CPU seconds of both, measured alternately after one warm-up each."""
    ours(), theirs()
    pairs = [(cpu_seconds(ours), cpu_seconds(theirs)) for _ in range(rounds)]
    return median(pair[0] for pair in pairs), median(pair[1] for pair in pairs)
