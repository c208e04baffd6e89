"""Points where rounding decides: how often ours, and how often the libraries, are wrong.

Points lie within 150 nm of a surface (70 %) or exactly on faces, edges and vertices (10 % each), half of the blocks'
on borders that two blocks share. Near a surface, every answer that differs from ours is settled in rational
arithmetic; on a surface, where libraries may say what they like, a sample of ours is. No point of a border may be in
two of the blocks that meet there. The libraries are asked about the points near a surface only: ncollpyde, which is
what navis asks, VTK and, if they are installed, libigl and embree. Rays and signs of distances should agree with ours
everywhere; libigl's fast winding number is an approximation, and embree computes in single precision.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from importlib.util import find_spec

import numpy as np
from numpy.typing import NDArray

from benchmarks.containment import absent, each, libraries
from benchmarks.neuropil_meshes import hard_points, meshes
from benchmarks.timing import cpu_seconds
from crant_core.mesh import Mesh
from crant_core.neuropils import prepare
from tests.fixtures.solids import exactly_inside

TITLE = "Points where rounding decides"
COUNT = {False: 100_000, True: 1_000_000}
SAMPLE = {False: 2_000, True: 10_000}  # of points on surfaces
BLOCKS = 8  # that meet in a group

Table = NDArray[np.bool_]
Points = NDArray[np.float64]


def table(full: bool = False) -> str:
    """Compare."""
    surfaces = meshes()
    places, surface, kind = hard_points(COUNT[full], surfaces)
    answers: dict[str, Table] = {}
    kept = prepare(surfaces)
    seconds = {"ours": cpu_seconds(lambda: answers.update(ours=kept.find(places).table()))}
    near = places[kind == 0]
    ways = libraries(surfaces, near) | {name: partial(each, way, surfaces, near) for name, way in _signs().items()}
    for name, way in ways.items():
        seconds[name] = cpu_seconds(lambda name=name, way=way: answers.update({name: way()}))  # type: ignore[misc]
    ours = answers.pop("ours")
    rows = [_row(name, theirs, ours[kind == 0], surfaces, near) for name, theirs in answers.items()]
    chosen = np.random.default_rng(0).choice(np.flatnonzero(kind > 0), SAMPLE[full], replace=False)
    wrong = sum(
        (ours[rows_, number] != truth(places[rows_], mesh)).sum()
        for number, mesh in enumerate(surfaces.values())
        for rows_ in [chosen[surface[chosen] == number]]
    )
    parts = [
        (__doc__ or "").strip(),
        "| method | differs from ours, near a surface | of these it is wrong | ours is wrong |\n|---|---|---|---|\n"
        + "\n".join(rows),
        f"On surfaces: of {SAMPLE[full]:,} answers of ours that were settled, {wrong} are wrong; "
        f"{_borders(ours, surface, kind)} "
        f"CPU seconds: {', '.join(f'{name} {took:.1f}' for name, took in seconds.items())}; ours has the points "
        "on surfaces too, most of which take exact arithmetic.",
        f"{COUNT[full]:,} points and {len(surfaces)} meshes. {absent()}",
    ]
    return "\n\n".join(parts)


def _signs() -> dict[str, Callable[[Mesh, Points], Table]]:
    """Return the libraries that compute the sign of the distance, in double precision."""
    found = {"VTK, sign of the distance": _vtk}
    return found | {"libigl, sign of the distance": _igl} if find_spec("igl") else found


def _igl(mesh: Mesh, places: Points) -> Table:
    import igl

    kind = igl.SignedDistanceType.SIGNED_DISTANCE_TYPE_PSEUDONORMAL
    return np.asarray(igl.signed_distance(places, mesh.vertices, mesh.faces.astype(np.int64), kind)[0] < 0)


def _vtk(mesh: Mesh, places: Points) -> Table:
    import pyvista

    surface, cloud = pyvista.make_tri_mesh(mesh.vertices, mesh.faces), pyvista.PolyData(places)
    found = cloud.select_interior_points(surface, method="signed_distance", check_surface=False)
    return np.asarray(found["selected_points"], dtype=np.bool_)


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
