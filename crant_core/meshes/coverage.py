"""Whether a surface is all of a neuron: manifests leave out, without a word, what is not meshed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from crant_core.errors import DataMissing, MeshNotFound, SourceError
from crant_core.mesh import Mesh
from crant_core.meshes.welding import area
from crant_core.sources.cave import CaveSource
from crant_core.sources.chunkedgraph_requests import Ids, asking, id_array, layers_of

FRESH = timedelta(hours=1)  #: how long after an edit new chunks may still get their mesh; it takes minutes
TINY_NM2 = 1e6  #: a square of 1 µm
SHARE = 0.01  #: of the surface, that may have been too small to mesh all in all; usual are 0.1 to 0.4 %
_L2 = 2
_HINT = "fresh edits are meshed with a delay: ask again in some minutes"


def whole_pieces(source: CaveSource, root: int, l2_ids: Ids, layer: int | None = None) -> tuple[dict[int, Mesh], int]:
    """Fetch the pieces of a neuron's surface, or refuse if they are not all of it.

    Every L2 chunk of the neuron must be in a node that the manifest names a piece for. Chunks of a few voxels never get
    a mesh, so those that lack one are looked at: one that an edit made in the last hour will get its mesh still, unless
    it is known to be tiny; the older ones may together have 1 % of the neuron's surface, by their own features, or 1
    µm². Chunks without features count by their number.

    Source: `GET /meshing/…/manifest/{root}:0` and the bucket; `POST …/node/leaves_many` for pieces of higher layers; if
    chunks are not covered, `POST …/root_timestamps` and the L2 cache.

    Parameters
    ----------
    source : CaveSource
    root : int
    l2_ids : (n,) uint64
        The neuron's L2 chunks.
    layer : int, optional
        The highest layer that pieces are of; left out, as few pieces as there can be.

    Returns
    -------
    pieces : dict of int to Mesh
        By the node that each is of.
    missing : int
        How many chunks have no mesh.

    Raises
    ------
    MeshNotFound
    DataMissing
        Parts are missing.
    SourceError
        There are parts that are not the neuron's.
    """
    try:
        pieces = source.mesh_pieces(root, layer)
    except MeshNotFound:
        _check_fresh(source, root, l2_ids, areas_of(source, l2_ids))
        raise
    return pieces, _missing(source, root, l2_ids, pieces)


def _missing(source: CaveSource, root: int, l2_ids: Ids, pieces: Mapping[int, Mesh]) -> int:
    missing = uncovered(source, root, l2_ids, pieces)
    if not len(missing):
        return 0
    areas = areas_of(source, missing)
    _check_fresh(source, root, missing, areas)
    unknown = np.isnan(areas)
    lacking = float(areas[~unknown].sum())
    share = lacking / sum(map(area, pieces.values())) + unknown.sum() / len(l2_ids)
    if share > SHARE and (lacking > TINY_NM2 or unknown.any()):
        message = f"the mesh of {root} lacks {len(missing)} of {len(l2_ids)} L2 chunks, some {share:.1%} of its surface"
        raise DataMissing(message, value=root, hint=_HINT)
    return len(missing)


def uncovered(source: CaveSource, root: int, l2_ids: Ids, nodes: Iterable[int]) -> Ids:
    """Return the L2 chunks of a root that are in none of some nodes.

    Raises
    ------
    SourceError
        A node is not in the root.
    """
    given = id_array(list(nodes))
    higher = given[layers_of(given) > _L2]
    inside = source.graph.leaves_many(higher, _L2) if len(higher) else {}
    covered = np.concatenate([given[layers_of(given) == _L2], *inside.values()])
    foreign = covered[~np.isin(covered, l2_ids)]
    if len(foreign):
        raise SourceError(f"the mesh of {root} has pieces of {foreign[0]}, which is not in it", value=root)
    return l2_ids[~np.isin(l2_ids, covered)]


def areas_of(source: CaveSource, l2_ids: Ids) -> NDArray[np.float64]:
    """Return the areas of L2 chunks, (n,) nm²; NaN for those that the L2 cache does not know."""
    features = source.graph.l2_data(l2_ids, ["area_nm2"])
    return np.array([features[l2_id].get("area_nm2", np.nan) for l2_id in l2_ids.tolist()], dtype=np.float64)


def _check_fresh(source: CaveSource, root: int, missing: Ids, areas: NDArray[np.float64]) -> None:
    """Refuse if a chunk that matters is so new that its mesh may still come; nothing in a root is newer than it."""
    since = datetime.now(UTC) - FRESH
    mattering = missing[~(areas <= TINY_NM2)]
    [born] = source.graph.root_timestamps([root])
    if not len(mattering) or (born is not None and born < since):
        return
    with asking(source.dataset.server):
        made = source.client().chunkedgraph.get_root_timestamps(mattering.tolist())
    fresh = sum(moment >= since for moment in made)
    if fresh:
        message = f"the mesh of {root} lacks {fresh} L2 chunks that were edited within the last hour"
        raise DataMissing(message, value=root, hint=_HINT)
