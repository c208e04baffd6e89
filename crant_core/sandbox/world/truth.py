"""Ground truth as Parquet files, so that tests compare with what is true and not with another implementation."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from crant_core.sandbox.graph.chunkedgraph import ChunkedGraph
from crant_core.sandbox.world import world
from crant_core.sandbox.world.navis_data import BODY_IDS
from crant_core.sandbox.world.segmentation import Segmentation

if TYPE_CHECKING:
    from crant_core.sandbox.world.build import Shapes


def save_truth(
    folder: Path,
    shapes: Shapes,
    owners: Sequence[NDArray[np.int64]],
    found: Segmentation,
    graph: ChunkedGraph,
    synapses: pd.DataFrame,
    neuropils: pd.DataFrame,
) -> None:
    """Write all truth files into `folder/truth`.

    `neurons`: number, body id (0 if made up), a supervoxel. `vertices`: neuron, x, y, z (nm), the supervoxel it
    belongs to, and whether it lies on a chunk border and so belongs to several; the L2 chunk at a time is that
    supervoxel's L2 id then. `skeletons`: neuron, node, x, y, z, radius (nm), parent. `synapse_neurons`: who really
    connects to whom. `synapse_neuropils`: which neuropils contain each synapse's centre. `lineage`: every edit.
    """
    frames = {
        "neurons": _neurons(found),
        "vertices": _vertices(shapes, owners, found),
        "skeletons": _skeletons(shapes),
        "synapse_neurons": synapses[["pre", "post", "region"]].assign(synapse_id=np.arange(1, len(synapses) + 1)),
        "synapse_neuropils": neuropils,
        "lineage": _lineage(graph),
    }
    for name, frame in frames.items():
        world.save_frame(folder, f"truth/{name}", frame)


def _neurons(found: Segmentation) -> pd.DataFrame:
    numbers, first = np.unique(found.neuron, return_index=True)
    bodies = np.zeros(len(numbers), dtype=np.int64)
    bodies[: len(BODY_IDS)] = BODY_IDS
    return pd.DataFrame({"neuron": numbers, "body_id": bodies, "supervoxel_id": found.ids[first]})


def _vertices(shapes: Shapes, owners: Sequence[NDArray[np.int64]], found: Segmentation) -> pd.DataFrame:
    return pd.concat(
        [
            _vertices_of(number, surface.vertices, surface.faces, owner, found)
            for number, (surface, owner) in enumerate(zip(shapes.surfaces, owners, strict=True))
        ],
        ignore_index=True,
    )


def _vertices_of(
    number: int,
    vertices: NDArray[np.float64],
    faces: NDArray[np.int64],
    owner: NDArray[np.int64],
    found: Segmentation,
) -> pd.DataFrame:
    corner, supervoxel = faces.ravel(), np.repeat(owner, 3)
    order = np.lexsort((supervoxel, corner))
    used, first = np.unique(corner[order], return_index=True)
    lowest = supervoxel[order][first]
    chunk = found.ids[supervoxel] >> np.uint64(26)  # layer and chunk position of a supervoxel
    spread = pd.Series(chunk).groupby(corner).nunique().to_numpy()
    frame = pd.DataFrame(vertices[used].astype(np.float32), columns=list("xyz"))
    return frame.assign(neuron=number, supervoxel_id=found.ids[lowest], on_border=spread > 1)


def _skeletons(shapes: Shapes) -> pd.DataFrame:
    frames = [
        pd.DataFrame(tree.nodes, columns=list("xyz")).assign(
            neuron=number, node=np.arange(len(tree.nodes)), radius=tree.radii, parent=tree.parents
        )
        for number, tree in enumerate(shapes.trees)
    ]
    return pd.concat(frames, ignore_index=True)


def _lineage(graph: ChunkedGraph) -> pd.DataFrame:
    rows = [
        {"operation_id": one.id, "timestamp": one.timestamp, "kind": one.kind, "user": one.user, "old": old, "new": new}
        for one in graph.operations
        for old in one.old_roots
        for new in one.new_roots
    ]
    return pd.DataFrame(rows).astype({"old": "uint64", "new": "uint64"})
