"""Which of 70 neuropils contain each point: ours against the libraries that are installed.

The meshes are made (48 blocks that share borders, 12 bodies, 10 nested ones; 1.5 million triangles), the points lie in
their boxes (75 %), within 150 nm of a surface (15 %) or anywhere (10 %). Each library gets all meshes and all points;
trimesh and libigl, which do not look at boxes first, get those in each mesh's box. Where one says otherwise than ours,
rational arithmetic decides; the last columns count who was wrong. libigl's fast winding number is an approximation;
trimesh sends embree's rays, in single precision.
"""

from __future__ import annotations

import importlib.util
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import median

import numpy as np
from numpy.typing import NDArray

from benchmarks.neuropil_meshes import meshes, points
from benchmarks.timing import cpu_seconds
from crant_core.mesh import Mesh
from crant_core.neuropils import prepare
from tests.fixtures.solids import exactly_inside

TITLE = "Points in neuropils"
COUNT = {False: 100_000, True: 1_000_000}
ROUNDS = 3
OPTIONAL = ("open3d", "embreex", "igl")

Table = NDArray[np.bool_]
Meshes = dict[str, Mesh]
Points = NDArray[np.float64]


def table(full: bool = False) -> str:
    """Measure, ours and the peers in turns."""
    surfaces = meshes()
    places = points(COUNT[full], surfaces)
    with tempfile.TemporaryDirectory() as folder:
        kept = prepare(surfaces, Path(folder))
        ways: dict[str, Callable[[], object]] = {
            "ours, grid kept": partial(kept.find, places),
            "ours, from meshes": lambda: prepare(surfaces).find(places),
            "ours, grid from disk": lambda: prepare(surfaces, Path(folder)).find(places),
            **libraries(surfaces, places),
        }
        seconds, answers = _measured(ways)
        ours = kept.find(places).table()
    wrong = {name: _settled(ours, _table(answers[name]), surfaces, places) for name in ways}
    rows = [_row(name, seconds, wrong[name]) for name in ways]
    head = "| method | CPU s | ours, kept, is faster by | ours, from meshes, by | wrong | ours wrong |"
    head += "\n|---|---|---|---|---|---|"
    note = f"{len(places):,} points. Arrays of the grid: {kept.labels.nbytes / 1e6:.0f} MB. {absent()}"
    return "\n".join([(__doc__ or "").strip(), "", head, *rows, "", note])


def absent() -> str:
    """Say which libraries would be compared if they were here."""
    missing = [name for name in OPTIONAL if importlib.util.find_spec(name) is None]
    return f"Not installed, so not compared: {', '.join(missing)}." if missing else ""


def libraries(surfaces: Meshes, places: Points) -> dict[str, Callable[[], object]]:
    """Return the libraries' calls; each gives a table of points (n, 3) and meshes."""
    import navis

    volumes = {name: navis.Volume(mesh.vertices, mesh.faces) for name, mesh in surfaces.items()}
    built = _ncollpyde(surfaces)
    optional = {"embreex": ("trimesh with embree", _embree), "igl": ("libigl, fast winding number", _winding)}
    return {
        "ncollpyde, kept": lambda: _asked(built, places),
        "ncollpyde, from meshes": lambda: _asked(_ncollpyde(surfaces), places),
        "navis.in_volume": lambda: np.stack([navis.in_volume(places, one) for one in volumes.values()], axis=1),
        **{
            name: partial(each, way, surfaces, places)
            for package, (name, way) in optional.items()
            if importlib.util.find_spec(package)
        },
    }


def each(way: Callable[[Mesh, Points], Table], surfaces: Meshes, places: Points) -> Table:
    """Ask about the points in each mesh's box, for libraries that do not look at boxes first."""
    found = np.zeros((len(places), len(surfaces)), dtype=np.bool_)
    for column, mesh in enumerate(surfaces.values()):
        low, high = mesh.vertices.min(axis=0), mesh.vertices.max(axis=0)
        rows = np.flatnonzero(((places >= low) & (places <= high)).all(axis=1))
        found[rows, column] = way(mesh, np.ascontiguousarray(places[rows]))
    return found


def _embree(mesh: Mesh, places: Points) -> Table:
    from trimesh import Trimesh
    from trimesh.ray.ray_pyembree import RayMeshIntersector

    return RayMeshIntersector(Trimesh(mesh.vertices, mesh.faces, process=False)).contains_points(places)


def _winding(mesh: Mesh, places: Points) -> Table:
    import igl

    return np.asarray(igl.fast_winding_number(mesh.vertices, mesh.faces.astype(np.int64), places) > 0.5)


def _ncollpyde(surfaces: Meshes) -> list[object]:
    import ncollpyde

    return [
        ncollpyde.Volume(mesh.vertices.astype(np.float32), mesh.faces.astype(np.uint32)) for mesh in surfaces.values()
    ]


def _asked(volumes: list[object], places: Points) -> Table:
    return np.stack([volume.contains(places, threads=False) for volume in volumes], axis=1)  # type: ignore[attr-defined]


def _measured(ways: dict[str, Callable[[], object]]) -> tuple[dict[str, float], dict[str, object]]:
    """Return the median CPU seconds of each way, measured in turns, and its answer."""
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    answers: dict[str, object] = {}
    for _ in range(ROUNDS):
        for name, way in ways.items():
            answers.pop(name, None)
            seconds[name].append(cpu_seconds(lambda name=name, way=way: answers.update({name: way()})))  # type: ignore[misc]
    return {name: median(times) for name, times in seconds.items()}, answers


def _table(answer: object) -> Table:
    return answer if isinstance(answer, np.ndarray) else answer.table()  # type: ignore[attr-defined]


def _row(name: str, seconds: dict[str, float], wrong: tuple[int, int]) -> str:
    took = seconds[name]
    kept, fresh = (took / seconds[f"ours, {way}"] for way in ("grid kept", "from meshes"))
    return f"| {name} | {took:.2f} | {kept:.1f} × | {fresh:.1f} × | {wrong[0]} | {wrong[1]} |"


def _settled(ours: Table, theirs: Table, surfaces: Meshes, places: Points) -> tuple[int, int]:
    """Count, of the answers that differ, those in which they and those in which we are wrong."""
    wrong = [0, 0]
    for column, mesh in enumerate(surfaces.values()):
        differing = np.flatnonzero(ours[:, column] != theirs[:, column])
        if len(differing):
            truth = np.array(exactly_inside(places[differing], mesh))
            wrong[0] += int((theirs[differing, column] != truth).sum())
            wrong[1] += int((ours[differing, column] != truth).sum())
    return wrong[0], wrong[1]
