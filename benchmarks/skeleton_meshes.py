"""Neuron surfaces of known truth: round cones along a reference skeleton, meshed by surface nets.

The surface is the zero level of the distance to all cones on a grid, kept only in blocks near the neuron. Its vertices
are displaced by smooth noise, repeated on the borders between blocks (as meshes from a chunked segmentation are), and
small blobs float around it, as they do in real segmentations. The meshes are of one connected body per neuron.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from crant_core.mesh import Mesh
from crant_core.sandbox.world.morphology import Morphology

_BLOCK = 32  # voxels along a block
_BITS = 21  # of a voxel's index along one axis, packed into one integer
_FAR = 1e9
_NOISE_NM = 24.0
_FLOATERS = 300
_CORNERS = ((0, 0), (-1, 0), (-1, -1), (0, -1))  # the four cells around a grid edge, in turn

Blocks = dict[tuple[int, int, int], NDArray[np.float32]]


@dataclass(frozen=True)
class Example:
    """A surface and what it was made from."""

    name: str
    mesh: Mesh
    truth: Morphology


def example(name: str, tree: Morphology, voxel: float, *, floaters: int = _FLOATERS, seed: int = 1) -> Example:
    """Mesh a morphology at `voxel` nm; radii are raised to what the grid can carry without tearing."""
    truth = Morphology(tree.nodes, np.maximum(tree.radii, 0.9 * voxel), tree.parents)
    blocks = _distances(truth, voxel)
    _add_floaters(blocks, truth, voxel, floaters, seed)
    return Example(name, _duplicated(*_surface_nets(blocks, voxel), seed), truth)


def _distances(tree: Morphology, voxel: float) -> Blocks:
    blocks: Blocks = defaultdict(lambda: np.full((_BLOCK,) * 3, _FAR, dtype=np.float32))
    ends = np.where(tree.parents < 0, np.arange(len(tree.nodes)), tree.parents)
    for start, end in enumerate(ends.tolist()):
        _carve(blocks, tree.nodes[[start, end]], tree.radii[[start, end]], voxel)
    return blocks


def _carve(blocks: Blocks, ends: NDArray[np.float64], radii: NDArray[np.float64], voxel: float) -> None:
    """Lower the field around one cone, in every block that it touches."""
    margin = radii.max() + 2 * voxel
    low = np.floor((ends.min(axis=0) - margin) / voxel).astype(int)
    high = np.ceil((ends.max(axis=0) + margin) / voxel).astype(int) + 1
    first, last = low // _BLOCK, (high - 1) // _BLOCK
    for key in np.ndindex(*(last - first + 1)):
        block = first + key
        begin, stop = np.maximum(low, block * _BLOCK), np.minimum(high, (block + 1) * _BLOCK)
        axes = [np.arange(b, s, dtype=np.float64) * voxel for b, s in zip(begin, stop, strict=True)]
        part = tuple(slice(b, s) for b, s in zip(begin - block * _BLOCK, stop - block * _BLOCK, strict=True))
        view = blocks[int(block[0]), int(block[1]), int(block[2])][part]
        np.minimum(view, _cone(axes, ends, radii), out=view)


def _cone(
    axes: list[NDArray[np.float64]], ends: NDArray[np.float64], radii: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the distance to a segment minus the radius there: close to a round cone where radii change slowly."""
    along = ends[1] - ends[0]
    squared = float(along @ along)
    offset = [axis - ends[0, number] for number, axis in enumerate(axes)]
    shares: NDArray[np.float64] = sum(
        (np.expand_dims(offset[n] * along[n], tuple({0, 1, 2} - {n})) for n in range(3)), np.zeros((1, 1, 1))
    )
    shares = np.clip(shares / max(squared, 1e-9), 0, 1) if squared else np.zeros([len(axis) for axis in axes])
    parts = ((np.expand_dims(offset[n], tuple({0, 1, 2} - {n})) - shares * along[n]) ** 2 for n in range(3))
    return np.asarray(np.sqrt(sum(parts)) - (radii[0] + shares * (radii[1] - radii[0])))


def _add_floaters(blocks: Blocks, tree: Morphology, voxel: float, count: int, seed: int) -> None:
    from scipy.spatial import cKDTree

    random = np.random.default_rng(seed)
    near = tree.nodes[random.integers(len(tree.nodes), size=count)] + random.normal(0, 8000, (count, 3))
    distance, node = cKDTree(tree.nodes).query(near)
    for place in near[distance > tree.radii[node] + 2000]:
        _carve(blocks, np.stack([place, place]), np.full(2, random.uniform(1.2, 2.0) * voxel), voxel)


def _surface_nets(blocks: Blocks, voxel: float) -> tuple[NDArray[np.float64], NDArray[np.int64], NDArray[np.int64]]:
    """Join the cells around every grid edge that crosses the surface.

    Returns
    -------
    vertices (n, 3) in nm, quadrilaterals (m, 4), and the number of the block that each of these comes from, (m,).
    """
    found = [_crossings(blocks, key, axis, number) for number, key in enumerate(sorted(blocks)) for axis in range(3)]
    cells, points, owners = (np.concatenate(part) for part in zip(*found, strict=True))
    unique, index = np.unique(cells, return_inverse=True)
    index = index.reshape(cells.shape)
    count = np.bincount(index.ravel(), minlength=len(unique))
    places = [np.bincount(index.ravel(), np.repeat(points[:, axis], 4), len(unique)) / count for axis in range(3)]
    return np.stack(places, axis=1) * voxel, index, owners


def _crossings(
    blocks: Blocks, key: tuple[int, int, int], axis: int, number: int
) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.int64]]:
    field = _with_next(blocks, key, axis)
    here, there = np.delete(field, -1, axis=axis), np.delete(field, 0, axis=axis)
    at = np.argwhere((here < 0) != (there < 0))
    a, b = here[tuple(at.T)].astype(np.float64), there[tuple(at.T)].astype(np.float64)
    corner = at + np.array(key) * _BLOCK
    points = corner.astype(np.float64)
    points[:, axis] += a / (a - b)
    others = [(axis + 1) % 3, (axis + 2) % 3]
    cells = np.repeat(corner[:, None, :], 4, axis=1)
    for turn, (first, second) in enumerate(_CORNERS):
        cells[:, turn, others[0]] += first
        cells[:, turn, others[1]] += second
    cells[a > 0] = cells[a > 0][:, ::-1]  # the outside lies behind: turn the other way round
    packed = (
        ((cells[..., 0] + (1 << 20)) << 2 * _BITS)
        | ((cells[..., 1] + (1 << 20)) << _BITS)
        | (cells[..., 2] + (1 << 20))
    )
    return packed, points, np.full(len(at), number)


def _with_next(blocks: Blocks, key: tuple[int, int, int], axis: int) -> NDArray[np.float32]:
    """Return a block with the first layer of the one behind it."""
    following = list(key)
    following[axis] += 1
    behind = blocks.get((following[0], following[1], following[2]))
    layer = np.full((_BLOCK,) * 3, _FAR, dtype=np.float32) if behind is None else behind
    return np.concatenate([blocks[key], np.take(layer, [0], axis=axis)], axis=axis)


def _duplicated(vertices: NDArray[np.float64], quads: NDArray[np.int64], owners: NDArray[np.int64], seed: int) -> Mesh:
    """Displace vertices smoothly, halve quadrilaterals, and give each block its own copy of its border's vertices."""
    moved = (vertices + _noise(vertices, seed)).astype(np.float32).astype(np.float64)
    keys = owners[:, None] * len(vertices) + quads
    unique, index = np.unique(keys, return_inverse=True)
    index = index.reshape(quads.shape)
    return Mesh(moved[unique % len(vertices)], np.concatenate([index[:, [0, 1, 2]], index[:, [0, 2, 3]]]))


def _noise(vertices: NDArray[np.float64], seed: int) -> NDArray[np.float64]:
    random = np.random.default_rng(seed)
    waves = random.normal(0, 2 * np.pi / 700, (6, 3))
    total = np.zeros_like(vertices)
    for wave in waves:
        total += np.sin((vertices @ wave)[:, None] + random.uniform(0, 2 * np.pi, 3))
    return np.asarray(_NOISE_NM / 6**0.5 * total)
