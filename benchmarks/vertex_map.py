"""Which L2 chunk each of a million vertices belongs to, in 5,000 chunks: ours against one mask per chunk.

The neuron is 65 rods through 5,000 chunks, 1,500 of which two rods share: 6,500 L2 ids, 1,000,000 vertices, 2,000,000
triangles. Theirs is cortical-tools' step for chunks with one L2 id, re-enacted: a mask of all vertices for each chunk,
in a closed box (here column by column, in place, which is as fast as numpy can); its further steps are left out. Ours
is measured for this step alone and whole, with the pieces of shared chunks. Each runs in a process of its own; memory
is what is allocated at most beyond mesh and L2 chunks (tracemalloc).
"""

from __future__ import annotations

import subprocess
import sys
import time
import tracemalloc
from collections.abc import Callable
from functools import partial

import numpy as np
from numpy.typing import NDArray

from crant_core.mesh import Mesh
from crant_core.vertex_map import ChunkGrid, L2Chunks, assign_vertices
from crant_core.vertex_map.assigning import _Places, _solo

TITLE = "Vertices to L2 chunks"
CHUNK = np.array([8192.0, 8192.0, 10752.0])  # nm
GRID = ChunkGrid(np.zeros(3), CHUNK, step=1.0)
LONG, MAIN, SIDE = 100, 50, 15  # chunks along a rod; rods; rods beside others
RINGS = 3847  # of a rod; of four vertices
WAYS = ("ours, one id in a chunk", "ours, whole", "theirs, one id in a chunk", "theirs, a mask at a time")

Labels = NDArray[np.int64]


def table(full: bool = False) -> str:
    """Measure."""
    rows = [_measured(way) for way in WAYS]
    head = "| method | CPU s | peak MB | vertices labelled | of these right |\n|---|---|---|---|---|"
    lines = [
        f"| {way} | {s:.2f} | {mb:,.0f} | {share:.1%} | {right:.2%} |"
        for way, (s, mb, share, right) in zip(WAYS, rows, strict=True)
    ]
    notes = [_compared("One pass", rows[0], rows[2]), _compared("All of ours", rows[1], rows[2])]
    return "\n".join([(__doc__ or "").strip(), "", head, *lines, "", *notes])


def _compared(what: str, ours: tuple[float, ...], theirs: tuple[float, ...]) -> str:
    faster, lighter = theirs[0] / ours[0], theirs[1] / ours[1]
    return f"{what} is {faster:,.0f} × faster and {lighter:,.0f} × lighter than a mask for each chunk."


def _measured(way: str) -> tuple[float, ...]:
    """Measure in a fresh process: CPU seconds, MB, the share that has a label, and the share of these that is right."""
    command = [sys.executable, "-m", "benchmarks.vertex_map", way]
    ran = subprocess.run(command, capture_output=True, text=True, check=True)
    return tuple(map(float, ran.stdout.split()))


def neuron() -> tuple[Mesh, L2Chunks, Labels]:
    """Make a neuron, and the number of each vertex' true L2 id."""
    rods = [(rod, 0.3) for rod in range(MAIN)] + [(rod, 0.7) for rod in range(SIDE)]
    meshes = [_rod(row, inside) for row, inside in rods]
    shifts = np.cumsum([0, *(len(mesh.vertices) for mesh in meshes)])
    faces = np.concatenate([mesh.faces + shift for mesh, shift in zip(meshes, shifts, strict=False)])
    mesh = Mesh(np.concatenate([mesh.vertices for mesh in meshes]), faces)
    chunks = np.array([(x, row, 0) for row, _ in rods for x in range(LONG)])
    points = (chunks + np.repeat([[0.5, inside, 0.5] for _, inside in rods], LONG, axis=0)) * CHUNK
    ids = np.arange(len(chunks)) + (2 << 56)
    true = np.concatenate([np.minimum(one.vertices[:, 0] // CHUNK[0], LONG - 1) for one in meshes]).astype(np.int64)
    return mesh, L2Chunks(ids, points, chunks), true + np.repeat(np.arange(len(rods)), RINGS * 4) * LONG


def _rod(row: int, inside: float) -> Mesh:
    along = np.linspace(0, LONG * CHUNK[0], RINGS).round()
    corners = np.array([[-200, -200], [200, -200], [200, 200], [-200, 200]])
    ring = corners + np.array([(row + inside) * CHUNK[1], CHUNK[2] / 2])
    vertices = np.concatenate([np.repeat(along, 4)[:, None], np.tile(ring.round(), (RINGS, 1))], axis=1)
    corner = np.arange(4 * (RINGS - 1))
    beside = corner // 4 * 4 + (corner + 1) % 4
    quads = np.stack([corner, beside, beside + 4, corner + 4], axis=1)
    return Mesh(vertices, np.concatenate([quads[:, [0, 1, 2]], quads[:, [0, 2, 3]]]))


def one_pass(mesh: Mesh, l2: L2Chunks) -> Labels:
    """Ours, the first step alone."""
    places = _Places(l2)
    labels, _ = _solo(GRID.bins(mesh.vertices, places.chunks), places.sole)
    return np.asarray(labels)


def whole(mesh: Mesh, l2: L2Chunks) -> Labels:
    """Ours."""
    return assign_vertices(mesh, l2, GRID).mesh_label - l2.ids[0]


def masks(mesh: Mesh, l2: L2Chunks, *, kept: bool) -> Labels:
    """Theirs: a mask of all vertices for each chunk with one L2 id, all of them first or one at a time."""
    places = _Places(l2)
    columns = np.ascontiguousarray(mesh.vertices.T)
    boxes = zip(GRID.starts(places.chunks), GRID.ends(places.chunks), strict=True)
    made = (_mask(columns, low, high) for low, high in boxes)
    labels = np.full(len(mesh.vertices), -1)
    for mask, sole in zip(list(made) if kept else made, places.sole, strict=True):
        if sole >= 0:
            labels[mask] = sole
    return labels


def _mask(columns: NDArray[np.float64], low: NDArray[np.float64], high: NDArray[np.float64]) -> NDArray[np.bool_]:
    found = np.ones(columns.shape[1], dtype=np.bool_)
    for column, begin, end in zip(columns, low, high, strict=True):
        found &= column >= begin
        found &= column <= end
    return found


_WORK: dict[str, Callable[[Mesh, L2Chunks], Labels]] = dict(
    zip(WAYS, (one_pass, whole, partial(masks, kept=True), partial(masks, kept=False)), strict=True)
)


def _report(way: str) -> None:
    mesh, l2, true = neuron()
    work = partial(_WORK[way], mesh, l2)
    if way.startswith("ours"):
        work()  # compiled, or read from the compiler's cache
    began = time.process_time()
    found = work()
    seconds = time.process_time() - began
    tracemalloc.start()
    work()
    peak = tracemalloc.get_traced_memory()[1] / 1e6
    labelled = (found >= 0) & (found < len(l2.ids))
    print(seconds, peak, labelled.mean(), _right(mesh, l2, found, true)[labelled].mean())


def _right(mesh: Mesh, l2: L2Chunks, found: Labels, true: Labels) -> NDArray[np.bool_]:
    """Say which are right: on a border, both neighbours are."""
    before = np.where((mesh.vertices[:, 0] % CHUNK[0] == 0) & (true % LONG > 0), true - 1, true)
    return np.asarray((found == true) | (found == before))


if __name__ == "__main__":
    _report(sys.argv[1]) if len(sys.argv) > 1 else print(table())
