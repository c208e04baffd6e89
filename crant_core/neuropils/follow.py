"""Follows triangles through the columns of a grid's cells, compiled: which cells each may touch."""
# ruff: noqa: PLR0917  kernels take arrays one by one

from __future__ import annotations

from typing import Any

import numpy as np

from crant_core.neuropils.compiled import kernel

UNSURE, FULL = -1, -2  #: instead of a number of pairs: that takes exact arithmetic; there are more than fit
_FLAT, _UPRIGHT, _SLANTED = 0, 1, 2
_AWAY, _OVER, _BESIDE, _DOUBTFUL = 0, 1, 2, 3  # a column is not under the triangle; its middle is, is not, may be
_TINY = 1e-200


@kernel
def follow(  # noqa: C901  four loops within each other
    vertices: Any, faces: Any, space: Any, slack: float, steep: float, counts: Any, local: Any, pairs: Any
) -> int:
    """List every pair of a cell and a triangle, and count in `counts`, per cell, two for each.

    A cell's count has one more if the surface turns its centre, and all further ones along z, from outside to inside
    or back. Return how many pairs there are, or what prevented it.
    """
    origin, cell, low, shape, rounding, reach = space
    size = 0
    room = len(local) - shape[2]
    for face in range(len(faces)):
        a = _corner(vertices, faces[face, 0])
        b = _corner(vertices, faces[face, 1])
        c = _corner(vertices, faces[face, 2])
        longest, normal = _extent(a, b, c), _cross(_minus(b, a), _minus(c, a))
        tolerance, edge_tolerance = rounding * longest**2, rounding * longest
        kind = _kind(a, b, c, normal, tolerance, reach)
        if kind == UNSURE:
            return UNSURE
        if kind == _FLAT:
            continue
        plane = (*normal, normal[0] * a[0] + normal[1] * a[1] + normal[2] * a[2])
        edges = (_edge(a, b, cell, slack), _edge(b, c, cell, slack), _edge(c, a, cell, slack))
        spread = _spread(normal, tolerance, cell, slack, steep)
        first_i, last_i = _range(a[0], b[0], c[0], origin[0], cell, slack)
        first_j, last_j = _range(a[1], b[1], c[1], origin[1], cell, slack)
        first_k, last_k = _range(a[2], b[2], c[2], origin[2], cell, slack)
        for i in range(first_i, last_i + 1):
            x = origin[0] + (i + 0.5) * cell
            for j in range(first_j, last_j + 1):
                y = origin[1] + (j + 0.5) * cell
                covers = _covers(edges, x, y, kind, edge_tolerance)
                if covers == _AWAY:
                    continue
                value = plane[0] * x + plane[1] * y - plane[3]
                base = ((i - low[0]) * shape[1] + j - low[1]) * shape[2] - low[2]
                unsure = covers == _DOUBTFUL
                if covers == _OVER:
                    turned, unsure = _turned(value, plane[2], tolerance, origin[2], cell, first_k, last_k)
                    if turned < low[2] + shape[2]:
                        counts[base + turned] ^= 1
                begin, end = _along(value, plane[2], spread, origin[2], cell, slack, first_k, last_k)
                if size > room:
                    return FULL
                for k in range(begin, end + 1):
                    at = plane[2] * (origin[2] + (k + 0.5) * cell) + value
                    unsure |= abs(at) <= tolerance
                    counts[base + k] += 2
                    local[size], pairs[size] = base + k, 2 * face + (at > 0)
                    size += 1
                if unsure:
                    return UNSURE
    return size


@kernel
def _corner(vertices: Any, vertex: int) -> Any:
    return vertices[vertex, 0], vertices[vertex, 1], vertices[vertex, 2]


@kernel
def _minus(a: Any, b: Any) -> Any:
    return a[0] - b[0], a[1] - b[1], a[2] - b[2]


@kernel
def _cross(a: Any, b: Any) -> Any:
    return a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]


@kernel
def _extent(a: Any, b: Any, c: Any) -> Any:
    x = max(a[0], b[0], c[0]) - min(a[0], b[0], c[0])
    y = max(a[1], b[1], c[1]) - min(a[1], b[1], c[1])
    return max(x, y, max(a[2], b[2], c[2]) - min(a[2], b[2], c[2]))


@kernel
def _kind(a: Any, b: Any, c: Any, normal: Any, tolerance: float, reach: float) -> int:
    """Say whether a triangle is a line in space, or one seen along z."""
    if abs(normal[2]) * reach > tolerance:
        return _SLANTED
    u, v = _minus(b, a), _minus(c, a)
    if not (_is_exact(a, b, u) and _is_exact(a, c, v)):
        return UNSURE
    if not _is_null(u[0], v[1], u[1], v[0]):
        return UNSURE  # nearly upright: that is for exact arithmetic
    flat = _is_null(u[1], v[2], u[2], v[1]) and _is_null(u[2], v[0], u[0], v[2])
    small = max(abs(normal[0]), abs(normal[1])) * reach <= tolerance
    return _FLAT if flat else (UNSURE if small else _UPRIGHT)


@kernel
def _is_exact(a: Any, b: Any, difference: Any) -> bool:
    """Say whether b - a was not rounded (D. Knuth's sum with error)."""
    exact = True
    for axis in range(3):
        found = difference[axis]
        back = found - b[axis]
        exact &= (b[axis] - (found - back)) + (-a[axis] - back) == 0
    return exact


@kernel
def _is_null(a: float, b: float, c: float, d: float) -> bool:
    """Say whether a · b - c · d is surely 0 (T. Dekker's product with error, which is exact but for tiny numbers)."""
    one, other = a * b, c * d
    tiny = abs(one) < _TINY and not ((a == 0 or b == 0) and (c == 0 or d == 0))
    return not tiny and one == other and _product_error(a, b, one) == _product_error(c, d, other)


@kernel
def _product_error(a: float, b: float, product: float) -> Any:
    high_a, high_b = _high(a), _high(b)
    low_a, low_b = a - high_a, b - high_b
    return ((high_a * high_b - product) + high_a * low_b + low_a * high_b) + low_a * low_b


@kernel
def _high(a: float) -> Any:
    scaled = a * 134217729.0  # 2²⁷ + 1
    return scaled - (scaled - a)


@kernel
def _edge(a: Any, b: Any, cell: float, slack: float) -> Any:
    """Return an edge seen along z: a point (x, y) is left of it if dx · y - dy · x exceeds the third number.

    The fourth is how far that may be beyond for the middle of a square of which a part is on the edge.
    """
    dx, dy = b[0] - a[0], b[1] - a[1]
    return dx, dy, dx * a[1] - dy * a[0], (abs(dx) + abs(dy)) * cell * (0.5 + slack)


@kernel
def _covers(edges: Any, x: float, y: float, kind: int, tolerance: float) -> int:
    """Say how a triangle, seen along z, lies over a column."""
    one, two, three = _left(edges[0], x, y), _left(edges[1], x, y), _left(edges[2], x, y)
    if kind == _UPRIGHT:
        away = abs(one) > edges[0][3] + tolerance or abs(two) > edges[1][3] + tolerance
        return _AWAY if away or abs(three) > edges[2][3] + tolerance else _BESIDE
    sign = 1.0 if edges[0][0] * edges[1][1] > edges[0][1] * edges[1][0] else -1.0
    one, two, three = one * sign, two * sign, three * sign
    if min(one + edges[0][3], two + edges[1][3], three + edges[2][3]) < -tolerance:
        return _AWAY
    least = min(one, two, three)
    return _DOUBTFUL if abs(least) <= tolerance else (_OVER if least > 0 else _BESIDE)


@kernel
def _left(edge: Any, x: float, y: float) -> Any:
    return edge[0] * y - edge[1] * x - edge[2]


@kernel
def _turned(
    value: float, slope: float, tolerance: float, origin: float, cell: float, low: int, high: int
) -> tuple[int, bool]:
    """Return the first centre beyond a plane, and whether that is unsure."""
    steps = (-value / slope - origin) / cell - 0.5
    nearest = int(np.rint(min(max(steps, low - 1.0), high + 1.0)))
    at = value + slope * (origin + (nearest + 0.5) * cell)
    unsure = abs(at) <= tolerance or abs(slope) * cell <= 4 * tolerance
    return nearest + ((at > 0) != (slope > 0)), unsure


@kernel
def _spread(normal: Any, tolerance: float, cell: float, slack: float, steep: float) -> Any:
    """Return how far along z from a column's middle a plane may be, still in the column; infinite if nearly upright."""
    half = (abs(normal[0]) + abs(normal[1]) + abs(normal[2])) * cell * (0.5 + slack) + tolerance
    return half / abs(normal[2]) if half <= steep * cell * abs(normal[2]) else np.inf


@kernel
def _range(a: float, b: float, c: float, origin: float, cell: float, slack: float) -> tuple[int, int]:
    low, high = (min(a, b, c) - origin) / cell, (max(a, b, c) - origin) / cell
    return int(np.floor(low - slack)), int(np.floor(high + slack))


@kernel
def _along(
    value: float, slope: float, spread: float, origin: float, cell: float, slack: float, low: int, high: int
) -> tuple[int, int]:
    """Return the first and last cell of a column that a plane passes through, within the triangle's box."""
    if spread == np.inf:
        return low, high
    middle = -value / slope - origin
    first = np.ceil((middle - spread) / cell - (0.5 + slack))
    last = np.floor((middle + spread) / cell - (0.5 - slack))
    return int(max(min(first, high + 1.0), low)), int(min(max(last, low - 1.0), high))
