"""Seventy closed surfaces like a brain's neuropils, and points among them; the same on every machine."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from crant_core.mesh import Mesh
from crant_core.sandbox.world.solids import ellipsoid

Points = NDArray[np.float64]

BRAIN = np.array([560e3, 400e3, 310e3])  # nm
_GROUPS = (
    *((0.2, 0.3, 0.3, 22), (0.5, 0.3, 0.3, 30), (0.8, 0.3, 0.3, 40)),
    *((0.2, 0.7, 0.6, 50), (0.5, 0.7, 0.6, 58), (0.8, 0.7, 0.6, 68)),
)  # middle, of the brain, and squares along a block's edge
_HALF = np.array([75e3, 65e3, 60e3])  # of a group
_ALONE, _NESTED = 12, 10
_NEAR = 150.0  # nm


def meshes() -> dict[str, Mesh]:
    """Return 48 blocks in six groups that share borders within each, 12 bodies on their own, 10 inside a block."""
    random = np.random.default_rng(70)
    found = [block for group in _GROUPS for block in _blocks(group)]
    places = random.uniform(0.05, 0.95, (_ALONE, 3)) * BRAIN
    found += [_body(place, random.uniform(15e3, 45e3, 3), 4 + i % 2) for i, place in enumerate(places)]
    centres = [found[5 * i].vertices.mean(axis=0) for i in range(_NESTED)]
    found += [_body(centre, random.uniform(8e3, 20e3, 3), 4) for centre in centres]
    return {f"neuropil_{number}": _in_single_precision(mesh) for number, mesh in enumerate(found)}


def _in_single_precision(mesh: Mesh) -> Mesh:
    """Put vertices where float32 has them: libraries that compute with it then see the same surface."""
    return Mesh(mesh.vertices.astype(np.float32).astype(np.float64), mesh.faces)


def points(count: int, surfaces: dict[str, Mesh]) -> Points:
    """Return points (n, 3): 75 % in the surfaces' boxes, 15 % within 150 nm of a surface, 10 % anywhere."""
    random = np.random.default_rng(count)
    near = [_beside(mesh, 1 + int(0.15 * count) // len(surfaces), random) for mesh in surfaces.values()]
    boxes = np.array([[mesh.vertices.min(axis=0), mesh.vertices.max(axis=0)] for mesh in surfaces.values()])
    volume = np.prod(boxes[:, 1] - boxes[:, 0], axis=1)
    chosen = boxes[random.choice(len(boxes), int(0.75 * count), p=volume / volume.sum())]
    within = chosen[:, 0] + random.random((len(chosen), 3)) * (chosen[:, 1] - chosen[:, 0])
    some = np.concatenate([within, np.concatenate(near)])[:count]
    found = np.concatenate([some, random.random((count - len(some), 3)) * BRAIN])
    return np.ascontiguousarray(random.permutation(found))


def hard_points(count: int, surfaces: dict[str, Mesh]) -> tuple[Points, NDArray[np.int64], NDArray[np.int64]]:
    """Return points where rounding decides: 70 % within 150 nm of a surface, 10 % each on faces, edges and vertices.

    Returns
    -------
    points : ndarray, shape (count, 3)
        In groups, in this order. They lie exactly where they are said to, as vertices have only 24 bits. Half of the
        blocks' faces are borders that two blocks share.
    surface : ndarray, shape (count,)
        Number of the surface each was made from.
    kind : ndarray, shape (count,)
        0 near, 1 on a face, 2 on an edge, 3 on a vertex.
    """
    random = np.random.default_rng(count)
    meshes_ = list(surfaces.values())
    kind = np.repeat(np.arange(4), [count - 3 * (count // 10), *[count // 10] * 3])
    surface = random.integers(len(meshes_), size=count)
    found = np.empty((count, 3))
    for number, mesh in enumerate(meshes_):
        for which, place in enumerate((_beside, _on_faces, _on_edges, _on_vertices)):
            rows = np.flatnonzero((surface == number) & (kind == which))
            found[rows] = place(mesh, len(rows), random)
    return found, surface, kind


def _on_faces(mesh: Mesh, count: int, random: np.random.Generator) -> Points:
    a, b, c = mesh.vertices[mesh.faces[random.integers(len(mesh.faces), size=count)]].transpose(1, 0, 2)
    return np.asarray(a / 2 + b / 4 + c / 4)  # exact: three numbers of 24 bits


def _on_edges(mesh: Mesh, count: int, random: np.random.Generator) -> Points:
    face = mesh.faces[random.integers(len(mesh.faces), size=count)]
    return np.asarray((mesh.vertices[face[:, 0]] + mesh.vertices[face[:, 1]]) / 2)


def _on_vertices(mesh: Mesh, count: int, random: np.random.Generator) -> Points:
    return np.asarray(mesh.vertices[mesh.faces[random.integers(len(mesh.faces), size=count), 0]])


def _beside(mesh: Mesh, count: int, random: np.random.Generator) -> Points:
    corners = mesh.vertices[mesh.faces[random.integers(len(mesh.faces), size=count)]]
    weights = random.dirichlet((1, 1, 1), count)
    shift = random.normal(size=(count, 3))
    shift *= random.random((count, 1)) * _NEAR / np.linalg.norm(shift, axis=1, keepdims=True)
    return np.asarray((corners * weights[..., None]).sum(axis=1) + shift)


def _blocks(group: tuple[float, float, float, int]) -> list[Mesh]:
    """Bend a cube into something round and cut it in eight: neighbours have the very same vertices on their border."""
    *centre, steps = group
    vertices, faces = _cube(int(steps))
    octants = np.array([(i, j, k) for i in (-1, 0) for j in (-1, 0) for k in (-1, 0)])
    return [Mesh(_bent(vertices + octant) * _HALF + np.multiply(centre, BRAIN), faces) for octant in octants]


def _bent(cube: Points) -> Points:
    """Map [-1, 1]³ to a bumpy ball."""
    x, y, z = cube.T
    round_ = np.stack(
        [
            x * np.sqrt(1 - y**2 / 2 - z**2 / 2 + y**2 * z**2 / 3),
            y * np.sqrt(1 - z**2 / 2 - x**2 / 2 + z**2 * x**2 / 3),
            z * np.sqrt(1 - x**2 / 2 - y**2 / 2 + x**2 * y**2 / 3),
        ],
        axis=1,
    )
    return np.asarray(round_ + _bumps(round_) * 0.05)


def _bumps(places: Points) -> Points:
    return np.sin(places[:, [1, 2, 0]] * 7.0) * np.cos(places[:, [2, 0, 1]] * 5.0 + 0.3)


def _cube(steps: int) -> tuple[Points, NDArray[np.int64]]:
    """Return the surface of [0, 1]³ with steps × steps squares a side, of two triangles each."""
    grid = np.arange(steps + 1)
    u, v = (part.ravel() for part in np.meshgrid(grid, grid, indexing="ij"))
    corner = (np.arange(steps)[:, None] * (steps + 1) + np.arange(steps)).ravel()
    squares = np.stack([corner, corner + steps + 1, corner + steps + 2, corner, corner + steps + 2, corner + 1], axis=1)
    sides, faces = [], []
    for axis in range(3):
        for end in (0, steps):
            place = np.empty((len(u), 3), dtype=np.int64)
            place[:, axis], place[:, (axis + 1) % 3], place[:, (axis + 2) % 3] = end, u, v
            turned = squares.reshape(-1, 3) if end else squares.reshape(-1, 3)[:, ::-1]
            faces.append(turned + len(u) * len(sides))
            sides.append(place)
    welded, number = np.unique(np.concatenate(sides), axis=0, return_inverse=True)
    return welded / steps, number.ravel()[np.concatenate(faces)]


def _body(centre: Points, radii: Points, subdivisions: int) -> Mesh:
    vertices, faces = ellipsoid(np.zeros(3), np.ones(3), subdivisions=subdivisions).mesh()
    return Mesh((vertices + 0.08 * _bumps(vertices)) * radii + centre, faces)
