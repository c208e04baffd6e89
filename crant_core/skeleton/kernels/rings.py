"""Kernels that cut a surface into rings: their geometry, and the tree they form."""
# ruff: noqa: PLR0917 - kernels take no keywords

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from crant_core.skeleton.kernels.compiling import compiled, inlined
from crant_core.skeleton.kernels.cutting import cuts
from crant_core.skeleton.kernels.field import distances, levels
from crant_core.skeleton.rings import Rings, Surface

Floats = NDArray[np.float64]
Ints = NDArray[Any]  # of any width, with or without sign

_SHORTEST = 1e-12  # a normal may be zero


def cut_surface(surface: Surface, seeds: Ints, step: int) -> Rings:
    """Cut a surface into rings at equal steps of geodesic distance from the seeds, one in each piece that counts."""
    distance = distances(surface, seeds)
    found = cuts(surface, seeds, distance, levels(distance, step))
    parents, firsts = _rooted(found.parents, len(seeds))
    nearest = np.full(len(parents), -1)
    nearest[firsts[firsts >= 0]] = seeds[firsts >= 0]
    rows, place = np.empty((3, len(found.rings), 3)), found.starts[:-1].copy()
    _measure(surface.places, surface.faces, distance, *found[:3], place, step, surface.grid, rows)
    middles, along, facing = rows
    rings = Rings(middles, along, facing, found.starts, parents, nearest, found.farthest, step * surface.grid)
    return rings if (firsts >= 0).all() else _with_points(rings, surface, seeds[firsts < 0])


@compiled
def _rooted(parents: Ints, seeds: int) -> tuple[Ints, Ints]:
    """Hang the rings next to a seed from the first of them, which becomes a root; also return these, -1 if none."""
    found, firsts = parents.copy(), np.full(seeds, -1, np.int64)
    for ring in range(len(parents)):
        if parents[ring] < 0:
            seed = -1 - parents[ring]
            found[ring] = firsts[seed]
            firsts[seed] = ring if firsts[seed] < 0 else firsts[seed]
    return found, firsts


@compiled
def _measure(
    places: Ints,
    faces: Ints,
    distance: Ints,
    owners: Ints,
    heights: Ints,
    rings: Ints,
    place: Ints,
    step: int,
    grid: float,
    rows: Floats,
) -> None:
    """Find where each cut is, and its face's normal, and list them ring by ring."""
    for cut in range(len(rings)):
        row = place[rings[cut]]
        place[rings[cut]] += 1
        face, value = owners[cut], (2 * np.int64(heights[cut]) + 1) * step
        a, b, c = faces[face, 0], faces[face, 1], faces[face, 2]
        up_a, up_b, up_c = 2 * distance[a] >= value, 2 * distance[b] >= value, 2 * distance[c] >= value
        # Turned so that the odd corner comes first; the cut has what is uphill on its left.
        if up_c == up_a and up_b != up_a:
            a, b, c, up_a = b, c, a, up_b
        elif up_a == up_b and up_c != up_a:
            a, b, c, up_a = c, a, b, up_c
        px, py, pz = _between(places, a, b)
        qx, qy, qz = _between(places, a, c)
        x, y, z = py * qz - pz * qy, pz * qx - px * qz, px * qy - py * qx
        length = max(np.sqrt(x * x + y * y + z * z), _SHORTEST)
        rows[2, row, 0], rows[2, row, 1], rows[2, row, 2] = x / length, y / length, z / length
        s = (value - 2 * distance[a]) / (2.0 * (distance[b] - distance[a]))
        t = (value - 2 * distance[a]) / (2.0 * (distance[c] - distance[a]))
        px, py, pz, qx, qy, qz = s * px, s * py, s * pz, t * qx, t * qy, t * qz
        rows[0, row, 0] = (places[a, 0] + (px + qx) / 2) * grid
        rows[0, row, 1] = (places[a, 1] + (py + qy) / 2) * grid
        rows[0, row, 2] = (places[a, 2] + (pz + qz) / 2) * grid
        turn = grid if up_a else -grid
        rows[1, row, 0], rows[1, row, 1], rows[1, row, 2] = (qx - px) * turn, (qy - py) * turn, (qz - pz) * turn


@inlined
def _between(places: Ints, one: int, other: int) -> tuple[float, float, float]:
    x = np.float64(places[other, 0] - places[one, 0])
    y = np.float64(places[other, 1] - places[one, 1])
    z = np.float64(places[other, 2] - places[one, 2])
    return x, y, z


def _with_points(rings: Rings, surface: Surface, seeds: Ints) -> Rings:
    """Add a ring for each piece smaller than a step: its vertices, as cuts of no length that face nowhere."""
    pieces = [_piece(surface.starts, surface.links, seed) for seed in seeds]
    middles = np.concatenate([rings.middles, *(surface.places[piece] * surface.grid for piece in pieces)])
    zeros, none = np.zeros((len(middles) - len(rings.middles), 3)), np.full(len(pieces), -1)
    ends = rings.starts[-1] + np.cumsum([len(piece) for piece in pieces])
    return rings._replace(
        middles=middles,
        cuts=np.concatenate([rings.cuts, zeros]),
        facing=np.concatenate([rings.facing, zeros]),
        starts=np.concatenate([rings.starts, ends]),
        parents=np.concatenate([rings.parents, none]),
        nearest=np.concatenate([rings.nearest, seeds]),
        farthest=np.concatenate([rings.farthest, none]),
    )


@compiled
def _piece(starts: Ints, links: Ints, seed: int) -> Ints:
    """Return the vertices connected to one, in ascending order."""
    met, waiting = {np.uint32(seed)}, [np.uint32(seed)]
    while len(waiting) > 0:
        vertex = waiting.pop()
        for at in range(starts[vertex], starts[vertex + np.uint32(1)]):
            if links[at, 0] not in met:
                met.add(links[at, 0])
                waiting.append(links[at, 0])
    return np.sort(np.array(list(met)))
