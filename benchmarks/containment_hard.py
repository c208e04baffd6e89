"""A million points where rounding decides: how often ours, and how often the libraries, are wrong.

Points lie within 150 nm of a surface (70 %) or exactly on faces, edges and vertices (10 % each), half of the blocks'
on borders that two blocks share. Near a surface, every answer that differs from ours is settled in rational
arithmetic; on a surface, where libraries may say what they like, a sample of ours is. No point of a border may be in
two of the blocks that meet there. The libraries are asked about the points near a surface only.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from benchmarks.containment import libraries
from benchmarks.neuropil_meshes import hard_points, meshes
from benchmarks.timing import cpu_seconds
from crant_core.mesh import Mesh
from crant_core.neuropils import prepare
from tests.fixtures.solids import exactly_inside

COUNT = 1_000_000
SAMPLE = 10_000  # of points on surfaces
BLOCKS = 8  # that meet in a group

Table = NDArray[np.bool_]
Points = NDArray[np.float64]


def table() -> str:
    """Compare."""
    surfaces = meshes()
    places, surface, kind = hard_points(COUNT, surfaces)
    answers: dict[str, Table] = {}
    kept = prepare(surfaces)
    seconds = {"ours": cpu_seconds(lambda: answers.update(ours=kept.find(places).table()))}
    for name, way in libraries(surfaces, places[kind == 0]).items():
        seconds[name] = cpu_seconds(lambda name=name, way=way: answers.update({name: way()}))  # type: ignore[misc]
    ours = answers.pop("ours")
    rows = [_row(name, theirs, ours[kind == 0], surfaces, places[kind == 0]) for name, theirs in answers.items()]
    chosen = np.random.default_rng(0).choice(np.flatnonzero(kind > 0), SAMPLE, replace=False)
    wrong = sum(
        (ours[rows_, number] != truth(places[rows_], mesh)).sum()
        for number, mesh in enumerate(surfaces.values())
        for rows_ in [chosen[surface[chosen] == number]]
    )
    parts = [
        "## Points where rounding decides",
        (__doc__ or "").strip(),
        "| method | differs from ours, near a surface | of these it is wrong | ours is wrong |\n|---|---|---|---|\n"
        + "\n".join(rows),
        f"On surfaces: of {SAMPLE:,} answers of ours that were settled, {wrong} are wrong; "
        f"{_borders(ours, surface, kind)} "
        f"CPU seconds: {', '.join(f'{name} {took:.1f}' for name, took in seconds.items())}; ours has the points "
        "on surfaces too, most of which take exact arithmetic.",
    ]
    return "\n\n".join(parts)


def _row(name: str, theirs: Table, ours: Table, surfaces: dict[str, Mesh], places: Points) -> str:
    wrong = [0, 0]
    for number, mesh in enumerate(surfaces.values()):
        differing = np.flatnonzero(theirs[:, number] != ours[:, number])
        right = truth(places[differing], mesh)
        wrong[0] += int((theirs[differing, number] != right).sum())
        wrong[1] += int((ours[differing, number] != right).sum())
    return f"| {name} | {int((theirs != ours).sum())} | {wrong[0]} | {wrong[1]} |"


def _borders(ours: Table, surface: NDArray[np.int64], kind: NDArray[np.int64]) -> str:
    """Count points that are on blocks' surfaces and in more than one block of a group."""
    blocks = 6 * BLOCKS
    on = (kind > 0) & (surface < blocks)
    group = surface[on] // BLOCKS
    having = ours[on, :blocks].reshape(-1, 6, BLOCKS)[np.arange(on.sum()), group].sum(axis=1)
    return f"of {on.sum():,} points on blocks {(having > 1).sum()} are in more than one block of their group."


def truth(places: Points, mesh: Mesh) -> Table:
    """Decide in rational arithmetic, with the faces that a ray along +x may hit."""
    corners = mesh.vertices[mesh.faces]
    low, high = corners.min(axis=1), corners.max(axis=1)
    found = np.zeros(len(places), dtype=np.bool_)
    for row, place in enumerate(places):
        near = (high[:, 0] >= place[0]) & (low[:, 1:] <= place[1:]).all(axis=1) & (high[:, 1:] >= place[1:]).all(axis=1)
        [found[row]] = exactly_inside(place[None], Mesh(mesh.vertices, mesh.faces[near]))
    return found


if __name__ == "__main__":
    print(table())
