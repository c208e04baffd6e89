"""Edits of the offline CAVE, and what was asked of it."""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta
from typing import Any

import numpy as np

from crant_core import (
    roots_to_supervoxels,
)
from tests.fixtures import neurons
from tests.fixtures.sandbox import Sandbox

MS = timedelta(milliseconds=1)


NO_ROOT = (8 << 56) + 5_000_000  # a root id of the right form that never was


FLYWIRE = 720575940621039145  # a root id of another dataset


URL = "/segmentation/api/v1/table/"


def toggle(cave: Sandbox, neuron: int) -> tuple[list[int], list[int], datetime]:
    """Cut or join a real neuron; return the old roots, the new ones and the moment."""
    done = cave.control("POST", "edit", {"operation": "toggle", "neuron": neuron})
    old, new = ([int(root) for root in done[name]] for name in ("old_roots", "new_roots"))
    return old, new, datetime.fromisoformat(done["timestamp"])


def requests_made(cave: Sandbox) -> Counter[str]:
    """Count requests by the last word of the endpoint."""
    counts = cave.control("GET", "log")["counts"]
    cave.control("DELETE", "log")
    return Counter({name.rsplit("/", 1)[-1]: one["requests"] for name, one in counts.items() if URL in name})


def outdated() -> list[int]:
    """Return every root that an edit ended, from the world's own graph."""
    return sorted(neurons.graph().family.ended_by)


def neurons_leaves(cave: Sandbox, root: int) -> np.ndarray:
    return roots_to_supervoxels(root, dataset=cave.dataset)[root]


def breaking(cave: Sandbox, path: str, **rule: Any) -> None:
    cave.control("POST", "fault", {"path": path, **rule})
