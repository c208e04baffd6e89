"""Surfaces of L2 chunks."""

from __future__ import annotations

import logging
from typing import Any

from crant_core.access import source_of
from crant_core.datasets import Dataset
from crant_core.l2.chunks import chunks_of
from crant_core.mesh import Mesh
from crant_core.meshes.bulk import at_once, roots_of
from crant_core.meshes.coverage import whole_pieces
from crant_core.meshes.neurons import mesh_neuron
from crant_core.meshes.welding import welded
from crant_core.sources.cave import CaveSource
from crant_core.sources.chunkedgraph_requests import Ids

_L2 = 2
_log = logging.getLogger(__name__)


def get_l2_meshes(x: Any, threads: int = 10, progress: bool = True, *, dataset: str | Dataset | None = None) -> Any:
    """Fetch the surfaces of a neuron's L2 chunks, one by one.

    Source: `POST /segmentation/api/v1/table/{table}/node/leaves_many`;
    `GET /meshing/api/v1/table/{table}/manifest/{root}:0` for the whole neuron, and its fragments from the bucket.

    Parameters
    ----------
    x : ids or neurons
        Root ids as integers or strings, one or many; navis neurons; anything with `get_roots()`. Old roots work too.
    threads : int, default 10
        Neurons on their way at a time, each with a few pieces; of all together, 64 connections to a server at most.
    progress : bool
        Whether to show a bar if it takes longer than two seconds.
    dataset : str or Dataset, optional
        Name or alias; left out, the default dataset.

    Returns
    -------
    navis.NeuronList
        A MeshNeuron for each chunk, by neuron in input order (repeated if it is), in each by L2 id, which is the `id`;
        vertices in nm. Open where the neuron goes on in the next chunk. Chunks of a few voxels have no mesh and are not
        in it; the log says how many.

    Raises
    ------
    InvalidId
        Something is no root id.
    NotARoot
        The dataset has no such root.
    MeshNotFound
    DataMissing
        A part is not meshed yet, or the bucket lacks a piece; see `get_mesh_neuron`.
    SourceError
    """
    import navis

    source = source_of(dataset)
    roots = roots_of(source, x)
    chunks = chunks_of(source, roots, progress=progress)
    fetched = at_once(
        lambda root: _pieces(source, root, chunks[root]), list(chunks), threads, progress=progress, what="L2 meshes"
    )
    by_root = dict(zip(chunks, fetched, strict=True))
    return navis.NeuronList([_neuron(l2_id, mesh) for root in roots for l2_id, mesh in by_root[root].items()])


def _pieces(source: CaveSource, root: int, ids: Ids) -> dict[int, Mesh]:
    pieces, missing = whole_pieces(source, root, ids, _L2)
    if missing:
        _log.info("%s of the %s L2 chunks of %s were too small to be meshed", missing, len(ids), root)
    return {l2_id: welded([pieces[l2_id]]) for l2_id in sorted(pieces)}


def _neuron(l2_id: int, mesh: Mesh) -> Any:
    return mesh_neuron(l2_id, Mesh(mesh.vertices.copy(), mesh.faces.copy()))
