"""More neurons for load: copies of the five real ones, each moved by whole chunks so that none lies on another.

A copy has one supervoxel per L2 chunk, L2 features, synapses, a tube mesh and annotations, but no voxels. Its
synapses' other sides belong to random copies: the crowd is for load and benchmarks, not for truth about wiring.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from crant_core.mesh import Mesh
from crant_core.sandbox import layout
from crant_core.sandbox.graph.chunkedgraph import ChunkedGraph
from crant_core.sandbox.world.features import Features
from crant_core.sandbox.world.history import History, replay
from crant_core.sandbox.world.morphology import Morphology
from crant_core.sandbox.world.navis_data import BODY_IDS
from crant_core.sandbox.world.tubes import finer_tube_mesh
from crant_core.sandbox.world.world import World

FACES = (20_000, 60_000, 200_000, 500_000)  #: least number of triangles of copies 0, 1, 2, 3, 4 (as 0) …
FRAGMENTS_PER_NEURON = 100  #: ids that are annotated and are nothing but one supervoxel
_FIRST_SEGMENT = 1 << 20  # above all segments of the real neurons
_MARGIN = ((0, 38), (-8, 25), (-3, 41))  # chunks by which copies move along x, y, z and stay in the volume


@dataclass(frozen=True)
class Template:
    """One real neuron as copies see it: its L2 chunks at the end of its history."""

    chunks: NDArray[np.int64]
    edges: NDArray[np.int64]
    sums: Features
    sites: pd.DataFrame


@dataclass(frozen=True)
class Crowd:
    """All copies, and the annotated fragments.

    Attributes
    ----------
    ids : (s,) uint64
        Supervoxels, ascending.
    neuron : (s,) int32
        Which copy; -1 for a fragment.
    row : (s,) int32
        Which L2 chunk of the template.
    edges : (e, 2) int64
        Indices of neighbouring supervoxels.
    moves : (n, 3) int64
        By how many chunks each copy is moved.
    starts : (n + 1,) int64
        Where each copy begins in `places`.
    places : (s,) int64
        Index of each copy's supervoxels, in the template's order, then of the fragments.
    """

    ids: layout.Ids
    neuron: NDArray[np.int32]
    row: NDArray[np.int32]
    edges: NDArray[np.int64]
    moves: NDArray[np.int64]
    starts: NDArray[np.int64]
    places: NDArray[np.int64]
    templates: tuple[Template, ...]
    trees: tuple[Morphology, ...]

    def find(self, supervoxel: int) -> int:
        """Return a supervoxel's index, or -1."""
        place = int(np.searchsorted(self.ids, np.uint64(supervoxel)))
        return place if place < len(self.ids) and self.ids[place] == supervoxel else -1

    def offset_nm(self, neuron: int) -> NDArray[np.int64]:
        """Return by how much a copy is moved."""
        return np.asarray(self.moves[neuron] * layout.chunk_nm())

    def features(self, index: int) -> Features:
        """Return a supervoxel's sums: its template's, moved."""
        neuron = int(self.neuron[index])
        if neuron < 0:
            return _one_voxel(layout.chunk_start(layout.chunk_of(self.ids[index])) + layout.chunk_nm() // 2)
        template = self.templates[neuron % len(self.templates)]
        return moved(template.sums.rows(np.array([self.row[index]])), self.offset_nm(neuron))

    def skeleton(self, neuron: int) -> Morphology:
        """Return a copy's true skeleton."""
        return self.trees[neuron % len(self.trees)].moved(self.offset_nm(neuron).astype(np.float64))

    def mesh(self, neuron: int) -> Mesh:
        """Draw a copy's surface: tubes around its skeleton, coarse or fine depending on its number."""
        if neuron < 0:
            raise ValueError("a fragment has no mesh")
        return finer_tube_mesh(self.skeleton(neuron), FACES[neuron % len(FACES)])


def template_of(world: World, graph: ChunkedGraph, number: int, synapses: pd.DataFrame) -> Template:
    """Read one real neuron's L2 chunks off the finished graph."""
    found = world.segmentation
    index = np.flatnonzero(found.neuron == number)
    l2_ids = graph.roots(found.ids[index], graph.operations[-1].timestamp, 2)
    names, row = np.unique(l2_ids, return_inverse=True)
    sums = [world.features.rows(index[row == one]) for one in range(len(names))]
    stacked = Features(*(np.stack([_total(name, part) for part in sums]) for name in Features.__dataclass_fields__))
    root = int(graph.roots(found.ids[index[:1]], graph.operations[-1].timestamp)[0])
    chunks, edges = layout.chunk_of(names), np.searchsorted(names, graph.lvl2_graph(root))
    # parts of one chunk that only touch are two L2 chunks, which an edge would make one
    edges = edges[(chunks[edges[:, 0]] != chunks[edges[:, 1]]).any(axis=1)]
    is_mine = synapses.pre_pt_supervoxel_id.isin(found.ids[index])
    sites = synapses[is_mine].assign(row=_rows(synapses.pre_pt_supervoxel_id[is_mine], found.ids[index], row))
    return Template(chunks, edges, stacked, sites)


def _total(name: str, part: Features) -> NDArray[np.generic]:
    values = getattr(part, name)
    if name == "thickest":
        return np.asarray(values.max(axis=0))
    if name == "middle":
        centroid = part.first.sum(axis=0) / part.count.sum()
        return np.asarray(values[np.linalg.norm(values - centroid, axis=1).argmin()])
    return np.asarray(values.sum(axis=0))


def _rows(supervoxels: pd.Series, ids: layout.Ids, row: NDArray[np.int64]) -> NDArray[np.int64]:
    return np.asarray(row[np.searchsorted(ids, supervoxels.to_numpy())])


def moved(sums: Features, offset: NDArray[np.int64]) -> Features:
    """Return the sums of the same voxels elsewhere."""
    count = sums.count[:, None]
    cross = sums.first[:, :, None] * offset
    second = sums.second + cross + cross.swapaxes(1, 2) + count[:, :, None] * np.outer(offset, offset)
    return Features(
        sums.count,
        sums.first + count * offset,
        second,
        sums.area,
        sums.radius,
        sums.thickest,
        sums.faces,
        sums.middle + offset,
    )


def _one_voxel(position: NDArray[np.int64]) -> Features:
    one = np.ones(1)
    return Features(
        one.astype(np.int64),
        position[None].astype(float),
        np.outer(position, position)[None].astype(float),
        np.full(1, 50_000),
        one * 60.0,
        one * 60.0,
        np.zeros((1, 2, 3), dtype=np.int64),
        position[None],
    )


def gather(world: World, graph: ChunkedGraph, count: int) -> Crowd:
    """Place copies and fragments.

    Parameters
    ----------
    count : int
        Copies; `FRAGMENTS_PER_NEURON` fragments come with each.
    """
    random = np.random.default_rng(count)
    synapses = world.frame("tables/synapses_v2")
    templates = tuple(template_of(world, graph, number, synapses) for number in range(len(BODY_IDS)))
    moves = _moves(count, random)
    chosen = [templates[number % len(templates)] for number in range(count)]
    chunks = [template.chunks + move for template, move in zip(chosen, moves, strict=True)]
    starts = np.cumsum([0, *map(len, chunks)])
    edges = [template.edges + start for template, start in zip(chosen, starts, strict=False)]
    fragments = random.integers(0, layout.SIZE_IN_CHUNKS, (count * FRAGMENTS_PER_NEURON, 3))
    none = np.full(len(fragments), -1)
    neuron = np.concatenate([np.repeat(np.arange(count), np.diff(starts)), none])
    row = np.concatenate([*(np.arange(len(part)) for part in chunks), none + 1])
    ids, order = _numbered(np.concatenate([*chunks, fragments]))
    rank = np.argsort(order)
    return Crowd(
        ids=ids,
        neuron=neuron[order].astype(np.int32),
        row=row[order].astype(np.int32),
        edges=rank[np.concatenate(edges)],
        moves=moves,
        starts=starts,
        places=rank,
        templates=templates,
        trees=world.trees[: len(BODY_IDS)],
    )


def _moves(count: int, random: np.random.Generator) -> NDArray[np.int64]:
    """Choose distinct moves, never none at all."""
    axes = [np.arange(low, high + 1) for low, high in _MARGIN]
    every = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 3)
    every = every[(every != 0).any(axis=1)]
    return np.asarray(every[random.choice(len(every), count, replace=False)])


def _numbered(chunks: NDArray[np.int64]) -> tuple[layout.Ids, NDArray[np.int64]]:
    """Give supervoxels ids, counted per chunk; return them ascending, and the order that sorts the input."""
    order = np.lexsort((np.arange(len(chunks)), *chunks.T[::-1]))
    _, starts, counts = np.unique(chunks[order], axis=0, return_index=True, return_counts=True)
    segments = np.arange(len(order)) - np.repeat(starts, counts) + _FIRST_SEGMENT
    return layout.encode(1, chunks[order], segments), order


def with_crowd(supervoxels: layout.Ids, history: History, middles: NDArray[np.int64], crowd: Crowd) -> ChunkedGraph:
    """Replay the history with the crowd beside the real neurons."""
    edges = np.vstack([history.edges, crowd.edges + len(supervoxels)])
    active = np.append(history.active, np.ones(len(crowd.edges), dtype=bool))
    together = np.concatenate([supervoxels, crowd.ids])
    places = np.vstack([middles, np.zeros((len(crowd.ids), 3), dtype=np.int64)])
    return replay(together, History(edges, active, history.edits), places)
