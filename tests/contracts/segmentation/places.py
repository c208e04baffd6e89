"""Places in the offline CAVE, and what was asked of it."""

from __future__ import annotations

from collections import Counter

import numpy as np

from crant_core.sandbox import names
from tests.fixtures.neurons import supervoxels, world
from tests.fixtures.sandbox import Sandbox

CHUNK_SIZE = 64  # voxels of storage


OUTSIDE = [[0, 0, 0], [-1, -1, -1], [1e30, 1e30, 1e30], [1e7, 2e5, 1e5]]


def asked(sandbox: Sandbox) -> Counter[str]:
    """Count the requests since the log was emptied, by path."""
    return Counter(entry["path"] for entry in sandbox.control("GET", "log")["entries"])


def chunks_asked(sandbox: Sandbox) -> Counter[str]:
    return Counter({path: n for path, n in asked(sandbox).items() if path.startswith(f"/gcs/{names.TABLE}/")})


def place() -> np.ndarray:
    """Return a position on the first neuron, nm."""
    return world().features.middle[np.searchsorted(world().segmentation.ids, supervoxels()[0])]


def box_around(position: np.ndarray, half: float = 400) -> np.ndarray:
    return np.array([position - half, position + half])
