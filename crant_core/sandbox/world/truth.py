"""Ground truth, so that tests compare with what is true and not with another implementation."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from crant_core.mesh import Mesh
from crant_core.sandbox.graph.chunkedgraph import ChunkedGraph
from crant_core.sandbox.world.morphology import Morphology
from crant_core.sandbox.world.navis_data import BODY_IDS
from crant_core.sandbox.world.segmentation import Segmentation


def neurons(found: Segmentation) -> pd.DataFrame:
    """List all neurons: number, body id (0 if made up), and one of its supervoxels."""
    numbers, first = np.unique(found.neuron, return_index=True)
    bodies = np.zeros(len(numbers), dtype=np.int64)
    bodies[: len(BODY_IDS)] = BODY_IDS
    return pd.DataFrame({"neuron": numbers, "body_id": bodies, "supervoxel_id": found.ids[first]})


def vertices(surfaces: Sequence[Mesh], owners: Sequence[NDArray[np.int64]], found: Segmentation) -> pd.DataFrame:
    """List all mesh vertices: neuron, x, y, z (nm), the supervoxel each belongs to, whether it is on a chunk border.

    One on a border belongs to several supervoxels, of which the first is named. The L2 chunk of a vertex at a time
    is its supervoxel's L2 id then.
    """
    pairs = zip(surfaces, owners, strict=True)
    frames = [_vertices_of(number, surface, owner, found) for number, (surface, owner) in enumerate(pairs)]
    return pd.concat(frames, ignore_index=True)


def _vertices_of(number: int, surface: Mesh, owner: NDArray[np.int64], found: Segmentation) -> pd.DataFrame:
    corner, supervoxel = surface.faces.ravel(), np.repeat(owner, 3)
    order = np.lexsort((supervoxel, corner))
    used, first = np.unique(corner[order], return_index=True)
    lowest = supervoxel[order][first]
    chunk = found.ids[supervoxel] >> np.uint64(26)  # layer and chunk position of a supervoxel
    spread = pd.Series(chunk).groupby(corner).nunique().to_numpy()
    frame = pd.DataFrame(surface.vertices[used].astype(np.float32), columns=list("xyz"))
    return frame.assign(neuron=number, supervoxel_id=found.ids[lowest], on_border=spread > 1)


def skeletons(trees: Sequence[Morphology]) -> pd.DataFrame:
    """List all skeleton nodes: neuron, node, x, y, z, radius (nm), parent. True for made-up neurons."""
    frames = [
        pd.DataFrame(tree.nodes, columns=list("xyz")).assign(
            neuron=number, node=np.arange(len(tree.nodes)), radius=tree.radii, parent=tree.parents
        )
        for number, tree in enumerate(trees)
    ]
    return pd.concat(frames, ignore_index=True)


def synapse_neurons(synapses: pd.DataFrame) -> pd.DataFrame:
    """List who really connects to whom: synapse id, numbers of both neurons, the hemibrain's region."""
    return synapses[["pre", "post", "region"]].assign(synapse_id=np.arange(1, len(synapses) + 1))


def lineage(graph: ChunkedGraph) -> pd.DataFrame:
    """List every edit: operation, time, kind, user, an old root and a new one."""
    rows = [
        {"operation_id": one.id, "timestamp": one.timestamp, "kind": one.kind, "user": one.user, "old": old, "new": new}
        for one in graph.operations
        for old in one.old_roots
        for new in one.new_roots
    ]
    return pd.DataFrame(rows).astype({"old": "uint64", "new": "uint64"})
