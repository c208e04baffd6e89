"""Makes a mesh fit to bound something, and reports what had to be done."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from crant_core.errors import InvalidInput
from crant_core.mesh import Mesh
from crant_core.neuropils import duplicates, edges, holes
from crant_core.neuropils.solid_angles import winding_numbers
from crant_core.neuropils.sound import is_sound

_HALF = 0.5
_CORNERS = 16  # of a shell that are looked at, about


@dataclass(frozen=True, slots=True, kw_only=True)
class Repair:
    """What was done to a mesh, and what is left.

    Attributes
    ----------
    dropped_faces : int
        Faces without three different corners.
    duplicate_faces : int
        Faces that were there twice, or walls between touching parts.
    flipped_faces : int
        Faces that were turned over.
    filled_holes, added_faces : int
    shells : int
        Connected parts of the surface.
    open_edges : int
        Edges that an odd number of faces has, after the repair: 0 if the surface is closed.
    orientable : bool
        False if a part has only one side, so that inward and outward mean nothing there.
    """

    dropped_faces: int = 0
    duplicate_faces: int = 0
    flipped_faces: int = 0
    filled_holes: int = 0
    added_faces: int = 0
    shells: int = 1
    open_edges: int = 0
    orientable: bool = True

    @property
    def closed(self) -> bool:
        """Whether the surface bounds a solid."""
        return self.open_edges == 0

    @property
    def changed(self) -> bool:
        """Whether anything was done."""
        return bool(self.dropped_faces or self.duplicate_faces or self.flipped_faces or self.added_faces)


def repair_mesh(mesh: Mesh) -> tuple[Mesh, Repair]:
    """Repair a mesh.

    In this order: vertices at the same position are joined; faces that are there twice removed; faces turned so that
    neighbours agree; small holes filled (up to twelve edges and a hundredth of the area, or a single triangle); every
    shell turned outward by its signed volume, or inward if it is a cavity, which is one that lies in an odd number of
    others. A mesh without damage is returned with the same vertices and faces.

    Parameters
    ----------
    mesh : Mesh
        In any unit.

    Raises
    ------
    InvalidInput
        The arrays are no mesh.
    """
    _check(mesh)
    if is_sound(mesh.vertices, mesh.faces):
        return mesh, Repair()
    welded = duplicates.welded(mesh)
    single, faces, report = _mended(welded)
    part = edges.shells(faces, len(welded.vertices))
    outward = _outward(welded.vertices, faces, part)
    report = replace(
        report,
        dropped_faces=len(mesh.faces) - len(welded.faces),
        flipped_faces=0 if outward is single else int((outward[: len(single)] != single).any(axis=1).sum()),
        shells=int(part.max(initial=-1)) + 1,
    )
    return Mesh(welded.vertices, outward), report


def _check(mesh: Mesh) -> None:
    vertices, faces = np.asarray(mesh.vertices), np.asarray(mesh.faces)
    if vertices.ndim != 2 or vertices.shape[1] != 3 or faces.ndim != 2 or faces.shape[1] != 3:  # noqa: PLR2004
        raise InvalidInput(f"these are no triangles in space: shapes {vertices.shape}, {faces.shape}")
    if not len(faces):
        raise InvalidInput("the mesh has no faces", value=len(faces))
    if not np.isfinite(vertices).all():
        raise InvalidInput("a vertex is not a finite number", value=int((~np.isfinite(vertices)).any(axis=1).argmax()))
    if faces.min() < 0 or faces.max() >= len(vertices):
        raise InvalidInput(f"a face names vertex {faces.max()} of {len(vertices)}", value=int(faces.max()))


def _mended(mesh: Mesh) -> tuple[edges.Faces, edges.Faces, Repair]:
    """Remove what is there twice; then turn neighbours the same way and fill holes. Return the faces after each."""
    if edges.is_sound(mesh.faces):
        return mesh.faces, mesh.faces, Repair()
    faces = duplicates.single(mesh.faces)
    turned, orientable = edges.turned_one_way(faces)
    whole, patches = holes.filled(mesh.vertices, turned)
    report = Repair(
        duplicate_faces=len(mesh.faces) - len(faces),
        filled_holes=patches,
        added_faces=len(whole) - len(faces),
        open_edges=len(edges.odd_edges(whole)),
        orientable=orientable,
    )
    return faces, whole, report


def _outward(vertices: NDArray[np.float64], faces: edges.Faces, part: NDArray[np.int32]) -> edges.Faces:
    """Turn every shell outward, and cavities inward."""
    volumes = edges.volumes(vertices, faces, part)
    wanted = np.where(_depths(vertices, faces, part, np.abs(volumes)) % 2 == 0, 1, -1)
    over = volumes * wanted < 0
    return np.where(over[part][:, None], faces[:, ::-1], faces) if over.any() else faces


def _depths(
    vertices: NDArray[np.float64], faces: edges.Faces, part: NDArray[np.int32], sizes: NDArray[np.float64]
) -> NDArray[np.int64]:
    """Count in how many larger shells each lies as a whole, by the winding number around some of its corners."""
    found = np.zeros(len(sizes), dtype=np.int64)
    if len(sizes) == 1:
        return found
    shells = [faces[part == number] for number in range(len(sizes))]
    some = [vertices[shell[:: max(1, len(shell) // _CORNERS), 0]] for shell in shells]
    for shell in np.argsort(-sizes, kind="stable").tolist():
        own = vertices[shells[shell]]
        low, high = own.min(axis=(0, 1)), own.max(axis=(0, 1))
        for other in np.flatnonzero(sizes < sizes[shell]).tolist():
            if ((some[other] > low) & (some[other] < high)).all():
                numbers = winding_numbers(some[other], Mesh(vertices, shells[shell]))
                found[other] += bool((np.abs(numbers) > _HALF).all())
    return found
