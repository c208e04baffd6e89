"""Kernels are compiled before anything is measured, once in each process."""

from __future__ import annotations

import logging
from functools import cache
from time import perf_counter

import numpy as np

from crant_core.mesh import Mesh
from crant_core.skeleton.engine import trace

_RINGS, _CORNERS = 40, 8
_RADIUS_NM, _STEP_NM = 300.0, 200.0
_log = logging.getLogger(__name__)


@cache
def warm() -> float:
    """Skeletonize a small tube, so that no neuron's time contains that of compiling; say so, once.

    Returns
    -------
    float
        Seconds: a fraction of one where machine code is on disk, else some twenty.
    """
    began = perf_counter()
    trace(tube())
    seconds = perf_counter() - began
    _log.info("the skeleton engine is ready after %.1f s: compiled, or read from NUMBA_CACHE_DIR", seconds)
    return seconds


def tube() -> Mesh:
    """Return an open tube, 8 µm long."""
    angles = np.arange(_CORNERS) * 2 * np.pi / _CORNERS
    ring = np.stack([np.zeros(_CORNERS), np.cos(angles), np.sin(angles)], axis=1) * _RADIUS_NM
    along = np.arange(_RINGS)[:, None, None] * np.array([_STEP_NM, 0, 0])
    first = np.arange((_RINGS - 1) * _CORNERS)
    beside = first // _CORNERS * _CORNERS + (first + 1) % _CORNERS
    faces = [[first, beside, first + _CORNERS], [beside, beside + _CORNERS, first + _CORNERS]]
    return Mesh((ring + along).reshape(-1, 3), np.concatenate([np.stack(one, axis=1) for one in faces]))
