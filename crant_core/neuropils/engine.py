"""Many meshes at once, ready to be asked which of them contain a point."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from crant_core.cautions import WrongUnitWarning
from crant_core.errors import InvalidInput
from crant_core.mesh import Mesh
from crant_core.neuropils.bounds import box
from crant_core.neuropils.containment import Containment
from crant_core.neuropils.crossing import Pairs
from crant_core.neuropils.frame import Frame
from crant_core.neuropils.labels import Labels, build
from crant_core.neuropils.lookup import find
from crant_core.neuropils.repair import Repair, repair_mesh
from crant_core.neuropils.shells import solids
from crant_core.neuropils.solid_angles import within

if TYPE_CHECKING:
    from typing import Any

_SAMPLE = 2_000  # points that are compared with the meshes' boxes
_ENOUGH = 20  # fewer points outside say nothing about the unit: some synapses are in no neuropil
_FEW = 0.01
_SHOWN = 5  # names in a repr
_FACTORS = {
    "µm": (1e3, 1e3, 1e3),
    "voxels of 8 × 8 × 42 nm": (8.0, 8.0, 42.0),
    "voxels of 16 × 16 × 42 nm": (16.0, 16.0, 42.0),
    "voxels of 4 × 4 × 40 nm": (4.0, 4.0, 40.0),
}


class Surface(Protocol):
    """A mesh of any library: `crant_core.mesh.Mesh`, `trimesh.Trimesh`, `navis.Volume`, cloud-volume's."""

    @property
    def vertices(self) -> Any:
        """Positions, (n, 3)."""
        ...

    @property
    def faces(self) -> Any:
        """Indices of corners, (m, 3)."""
        ...


@dataclass(frozen=True, eq=False, slots=True, repr=False)
class Neuropils:
    """Closed meshes in a label grid; read-only, so many threads may ask at once.

    Attributes
    ----------
    names : tuple of str
    repairs : tuple of Repair
        What was done to each mesh.
    frame : Frame
    labels : Labels
    owners : ndarray, (surfaces,), int32
        The mesh that each surface of the grid belongs to.
    unclosed : mapping of int to Mesh
        Meshes that stayed open, by number; they are not in the grid.
    boxes : ndarray, shape (meshes, 2, 3)
    """

    names: tuple[str, ...]
    repairs: tuple[Repair, ...]
    frame: Frame
    labels: Labels
    owners: NDArray[np.int32]
    unclosed: Mapping[int, Mesh]
    boxes: NDArray[np.float64]

    def __repr__(self) -> str:
        shown = ", ".join(self.names[:_SHOWN]) + (", …" if len(self.names) > _SHOWN else "")
        unclosed = f", {len(self.unclosed):,} do not close" if self.unclosed else ""
        return f"<Neuropils: {len(self.names):,} meshes ({shown}){unclosed}>"

    def find(self, points: ArrayLike) -> Containment:
        """Find the meshes that contain each point.

        A point belongs to a closed mesh if a path from it to infinity crosses the surface an odd number of times;
        shells of one mesh that cross each other are united. This is exact for every float64 position. A point exactly
        on a surface counts as shifted by an infinitesimal step along +x (then +y, then +z), so of two neuropils that
        share a border exactly one has it. Meshes that stayed open are decided by the winding number, and named in
        the answer's `open_meshes`.

        Parameters
        ----------
        points : array_like, shape (n, 3)
            Positions in the unit of the meshes, nm.

        Returns
        -------
        Containment
            A point may be in several meshes, or in none.

        Raises
        ------
        InvalidInput
            These are no positions, or one is not a finite number. Drop such rows, so that it is you who decides.

        Warns
        -----
        WrongUnitWarning
            Nearly all points, of 20 or more, lie outside the box of every mesh.
        """
        places = _positions(points)
        self._check_unit(places)
        point, surface = find(places, self.frame, self.labels)
        found = [(point, self.owners[surface])]
        for number, mesh in self.unclosed.items():
            rows = np.flatnonzero(within(places, mesh))
            found.append((rows, np.full(len(rows), number, dtype=np.int32)))
        point, mesh_ = self._once(found)
        return Containment(self.names, len(places), point, mesh_, self.repairs)

    def _once(self, found: list[Pairs]) -> Pairs:
        """Order pairs, and keep one of each where several surfaces of a mesh contain a point."""
        if len(found) == 1 and len(self.owners) == len(self.names):
            return found[0]
        if len(found) == 1:
            point, mesh = found[0]
            new = np.flatnonzero((np.diff(point, prepend=-1) != 0) | (np.diff(mesh, prepend=-1) != 0))
            return point[new], mesh[new]
        count = max(1, len(self.names))
        keys = np.unique(np.concatenate([point * count + mesh for point, mesh in found]))
        return keys // count, (keys % count).astype(np.int32)

    def _check_unit(self, points: NDArray[np.float64]) -> None:
        sample = points[:: max(1, len(points) // _SAMPLE)]
        if len(sample) < _ENOUGH or not len(self.boxes) or self._share(sample) > _FEW:
            return
        better = [unit for unit, factor in _FACTORS.items() if self._share(sample * factor) > 1 - _FEW]
        hint = f"they would fit if they were {better[0]}" if better else "positions must be in nm, like the meshes"
        warnings.warn(f"nearly all points lie outside every mesh's box: wrong unit? ({hint})", WrongUnitWarning, 4)

    def _share(self, points: NDArray[np.float64]) -> float:
        x, y, z = points.T[:, :, None]
        (x0, y0, z0), (x1, y1, z1) = self.boxes[:, 0].T, self.boxes[:, 1].T
        inside = (x >= x0) & (x <= x1) & (y >= y0) & (y <= y1) & (z >= z0) & (z <= z1)
        return float(inside.any(axis=1).mean())


def prepare(meshes: Mapping[str, Surface], cache_folder: str | PathLike[str] | None = None) -> Neuropils:
    """Repair meshes and lay the label grid over them, or open the one that was laid before.

    Parameters
    ----------
    meshes : mapping of str to mesh
        By name: anything with `vertices` and `faces`, in nm. They may overlap.
    cache_folder : str or path, optional
        Where the grid is kept, below `neuropils/`; the setting `cache_folder`. It is read through memory maps, so
        processes of one machine share it; of several that need the same grid one builds it and the others wait.
        What is damaged there is noticed by its checksums, logged and made anew. Left out, nothing is kept.

    Raises
    ------
    InvalidInput
        The arrays are no mesh.
    """
    given = {name: _mesh(mesh) for name, mesh in meshes.items()}
    if cache_folder is None:
        return built(given)
    from crant_core.neuropils.cache import opened

    return opened(given, Path(cache_folder))


def built(meshes: Mapping[str, Mesh]) -> Neuropils:
    """Repair meshes and lay the label grid over them."""
    repaired = [repair_mesh(mesh) for mesh in meshes.values()]
    parts: list[list[Mesh]] = [_closed_parts(mesh, report) for mesh, report in repaired]
    frame, labels = build([solid for solids_ in parts for solid in solids_])
    return Neuropils(
        names=tuple(meshes),
        repairs=tuple(report for _, report in repaired),
        frame=frame,
        labels=labels,
        owners=np.repeat(np.arange(len(parts), dtype=np.int32), [len(some) for some in parts]),
        unclosed={number: mesh for number, (mesh, report) in enumerate(repaired) if not report.closed},
        boxes=np.array([_box(mesh) for mesh, _ in repaired]).reshape(-1, 2, 3),
    )


def _closed_parts(mesh: Mesh, report: Repair) -> list[Mesh]:
    if not report.closed:
        return []
    return solids(mesh) if report.shells > 1 else [mesh]


def _box(mesh: Mesh) -> NDArray[np.float64]:
    return box(mesh.vertices if len(mesh.vertices) <= len(mesh.faces) else mesh.vertices[np.unique(mesh.faces)])


def _mesh(surface: Surface) -> Mesh:
    vertices = np.ascontiguousarray(surface.vertices, dtype=np.float64)
    return Mesh(vertices, np.ascontiguousarray(surface.faces, dtype=np.int64))


def _positions(points: ArrayLike) -> NDArray[np.float64]:
    places = np.ascontiguousarray(points, dtype=np.float64)
    if places.size == 0:
        return places.reshape(0, 3)
    if places.ndim != 2 or places.shape[1] != 3:  # noqa: PLR2004
        raise InvalidInput(f"positions are rows of x, y, z; these have the shape {places.shape}", value=places.shape)
    with np.errstate(over="ignore", invalid="ignore"):
        finite = np.isfinite(places.sum())  # then all are; it takes no room, and a third of the time
    if not finite and not np.isfinite(places).all():
        bad = np.flatnonzero(~np.isfinite(places).all(axis=1))
        message = f"{len(bad):,} of {len(places):,} positions are not finite numbers, the first in row {bad[0]}"
        raise InvalidInput(message, value=int(bad[0]), hint="drop these rows first")
    return places
