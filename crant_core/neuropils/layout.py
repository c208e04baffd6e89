"""The arrays of a label grid, compiled: what `crant_core.neuropils.labels` makes in numpy.

Sets, boundary cells and triangles have other numbers than there: those in which they are met, surface by surface. So
what lies together in space lies together in memory.
"""
# ruff: noqa: PLR0917  kernels take arrays one by one

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from crant_core.mesh import Mesh
from crant_core.neuropils import quick
from crant_core.neuropils.compiled import fixed, kernel
from crant_core.neuropils.frame import Frame
from crant_core.neuropils.labels import Labels
from crant_core.neuropils.planes import planes_of
from crant_core.neuropils.raster import Touching, raster
from crant_core.neuropils.scan import scanned

_LINE = 64  # bytes of a processor's cache line


def laid(surfaces: Sequence[Mesh], frame: Frame) -> Labels:
    """Lay a grid over closed surfaces.

    Raises
    ------
    CentreOnSurfaceError
    """
    meshes, touching = [], []
    for surface in surfaces:
        mesh, touched = _touching(surface, frame)
        meshes.append(mesh)
        touching.append(touched)
    codes, members = _sets(touching, frame)
    pairs, faces, table = _triangles(meshes, touching, frame)
    return Labels(
        codes=codes,
        set_starts=_offsets(members),
        set_members=np.array([member for one in members for member in one], dtype=np.int32),
        **_boundary(touching, codes),
        pairs=pairs,
        vertices=np.concatenate([np.zeros((0, 3)), *(mesh.vertices for mesh in meshes)]),
        faces=faces,
        quick=table,
    )


def _touching(surface: Mesh, frame: Frame) -> tuple[Mesh, Touching]:
    found = scanned(surface, frame)
    if found is not None:
        return surface, found
    planes = planes_of(surface, frame.reach)
    return Mesh(surface.vertices, planes.faces.astype(np.int64)), raster(planes, frame)


def _offsets(parts: Sequence[Any]) -> NDArray[np.int64]:
    return np.cumsum([0, *(len(part) for part in parts)], dtype=np.int64)


def _sets(touching: Sequence[Touching], frame: Frame) -> tuple[NDArray[np.int32], list[tuple[int, ...]]]:
    """Number, for every cell, the set of surfaces that it lies in as a whole."""
    codes = np.zeros(frame.size, dtype=np.int32)
    members: list[tuple[int, ...]] = [()]
    for surface, one in enumerate(touching):
        before = np.empty(len(members), dtype=np.int32)
        count = _enter(codes, one.within, np.zeros(len(members), dtype=np.int32), before, len(members))
        members += [(*members[old], surface) for old in before[: count - len(members)].tolist()]
    return codes, members


@kernel
def _enter(codes: Any, runs: Any, after: Any, before: Any, count: int) -> int:
    """Put the cells of runs into the sets with one more member, which get numbers from `count` on."""
    first = count
    for run in range(len(runs)):
        for cell in range(runs[run, 0], runs[run, 1]):
            old = codes[cell]
            if after[old] == 0:
                after[old] = count
                before[count - first] = old
                count += 1
            codes[cell] = after[old]
    return count


def _boundary(touching: Sequence[Touching], codes: NDArray[np.int32]) -> dict[str, Any]:
    """Number the boundary cells in `codes`, and list each one's crossings."""
    total = sum(len(one.cells) for one in touching)
    sets, sizes = np.empty(total, dtype=np.int32), np.zeros(total + 1, dtype=np.int64)
    count = 0
    for one in touching:
        count = _number(codes, one.cells, sets, sizes, count)
    starts = np.cumsum(sizes[: count + 1])
    found = (np.empty(total, np.int32), np.empty(total, np.bool_), np.empty(total, np.int64), np.empty(total, np.int32))
    places = starts[:-1].copy()
    for surface, (one, at) in enumerate(zip(touching, _offsets([one.pairs for one in touching]), strict=False)):
        _cross(codes, one.cells, one.states, one.starts, surface, at, places, *found)
    names = ("surfaces", "states", "pair_starts", "pair_counts")
    return {"boundary_sets": sets[:count].copy(), "boundary_starts": starts, **dict(zip(names, found, strict=True))}


@kernel
def _number(codes: Any, cells: Any, sets: Any, sizes: Any, count: int) -> int:
    for cell in cells:
        if codes[cell] >= 0:
            sets[count] = codes[cell]
            codes[cell] = -1 - count
            count += 1
        sizes[-codes[cell]] += 1
    return count


@kernel
def _cross(
    codes: Any,
    cells: Any,
    inside: Any,
    starts: Any,
    surface: int,
    offset: int,
    places: Any,
    surfaces: Any,
    states: Any,
    pair_starts: Any,
    pair_counts: Any,
) -> None:
    for which in range(len(cells)):
        boundary = -1 - codes[cells[which]]
        at = places[boundary]
        places[boundary] += 1
        surfaces[at], states[at] = surface, inside[which]
        pair_starts[at], pair_counts[at] = starts[which] + offset, starts[which + 1] - starts[which]


def _triangles(
    meshes: Sequence[Mesh], touching: Sequence[Touching], frame: Frame
) -> tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.float32]]:
    """Number the triangles in the order of the cells they touch; return pairs, faces and what `Labels.quick` holds."""
    begins, vertices = _offsets([one.pairs for one in touching]), _offsets([mesh.vertices for mesh in meshes])
    pairs = np.empty(begins[-1], dtype=np.int32)
    total = sum(len(mesh.faces) for mesh in meshes)
    faces, table = np.empty((total, 3), dtype=np.int32), _aligned(total)
    constants = ((*frame.middle.tolist(),), quick.SLIVER, frame.cell, *quick.tolerance_terms(frame))
    count = 0
    for mesh, one, begin, vertex in zip(meshes, touching, begins, vertices, strict=False):
        order, size = np.empty(len(mesh.faces), dtype=np.int32), len(one.pairs)
        numbers = np.full(len(mesh.faces), -1, dtype=np.int32)
        own = _renumber(one.pairs, numbers, order, count, pairs[begin : begin + size])
        _write(
            fixed(mesh.vertices),
            fixed(mesh.faces),
            order[:own],
            vertex,
            constants,
            faces[count:],
            table[count:].reshape(-1, 16),
        )
        count += own
    return pairs, faces[:count], table[:count]


def _aligned(triangles: int) -> NDArray[np.float32]:
    """Allocate triangles of one cache line each, where a line begins."""
    space = np.empty((triangles + 1) * _LINE, dtype=np.uint8)
    begin = -space.ctypes.data % _LINE
    return space[begin : begin + triangles * _LINE].view(np.float32).reshape(-1, 4, 4)


@kernel
def _renumber(pairs: Any, numbers: Any, order: Any, begin: int, found: Any) -> int:
    """Number triangles from `begin` on as they occur in pairs."""
    count = 0
    for at in range(len(pairs)):
        triangle = pairs[at] >> 1
        if numbers[triangle] < 0:
            numbers[triangle], order[count] = begin + count, triangle
            count += 1
        found[at] = numbers[triangle] << 1 | (pairs[at] & 1)
    return count


@kernel
def _write(vertices: Any, faces: Any, order: Any, shift: int, constants: Any, corners: Any, table: Any) -> None:
    """Write triangles' corners, and their rows as `quick.quick` does."""
    middle, sliver, cell, square, single = constants
    for at in range(len(order)):
        one, two, three = faces[order[at], 0], faces[order[at], 1], faces[order[at], 2]
        a, b, c = _row(vertices, one), _row(vertices, two), _row(vertices, three)
        normal = _normal(_minus(b, a), _minus(c, a))
        longest, length = _extent(a, b, c), np.sqrt(_dot(normal, normal))
        scale = 1 / length if length > sliver * longest**2 else 0.0
        edge = longest + cell
        corners[at, 0], corners[at, 1], corners[at, 2] = one + shift, two + shift, three + shift
        x, y, z = normal[0] * scale, normal[1] * scale, normal[2] * scale
        table[at, 0], table[at, 1], table[at, 2] = x, y, z
        table[at, 3] = _dot(normal, _minus(a, middle)) * scale
        table[at, 4], table[at, 5], table[at, 6] = _minus(a, middle)
        table[at, 7] = square * edge**2 + single * edge
        table[at, 8], table[at, 9], table[at, 10] = _minus(b, middle)
        table[at, 11] = 0
        table[at, 12], table[at, 13], table[at, 14] = _minus(c, middle)
        table[at, 15] = 0


@kernel
def _row(vertices: Any, vertex: int) -> Any:
    return vertices[vertex, 0], vertices[vertex, 1], vertices[vertex, 2]


@kernel
def _minus(a: Any, b: Any) -> Any:
    return a[0] - b[0], a[1] - b[1], a[2] - b[2]


@kernel
def _normal(a: Any, b: Any) -> Any:
    return a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]


@kernel
def _dot(a: Any, b: Any) -> Any:
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]


@kernel
def _extent(a: Any, b: Any, c: Any) -> Any:
    x = max(a[0], b[0], c[0]) - min(a[0], b[0], c[0])
    y = max(a[1], b[1], c[1]) - min(a[1], b[1], c[1])
    return max(x, y, max(a[2], b[2], c[2]) - min(a[2], b[2], c[2]))
