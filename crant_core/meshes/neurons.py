"""Neurons as meshes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from crant_core.access import source_of
from crant_core.caching.meshes import Kept, mesh_store
from crant_core.datasets import Dataset
from crant_core.errors import CrantError, NotARoot
from crant_core.mesh import Mesh
from crant_core.meshes.bulk import as_asked, at_once, caught, check_omission, in_order, is_one, roots_of
from crant_core.meshes.coverage import whole_pieces
from crant_core.meshes.welding import welded
from crant_core.progress import Progress
from crant_core.sources.cave import CaveSource
from crant_core.sources.chunkedgraph_requests import Ids

_L2 = 2


def get_mesh_neuron(
    neurons: Any,
    omit_failures: bool | None = None,
    threads: int = 5,
    *,
    dataset: str | Dataset | None = None,
) -> Any:
    """Fetch the surfaces of neurons.

    A mesh comes whole or not at all: every L2 chunk of the neuron is in a piece of it, but for chunks of a few voxels,
    which are never meshed, and every piece was there. Pieces are joined where they meet. What came whole is kept on
    disk, by server, table and root, in the folder `meshes` of `CRANT_CACHE_FOLDER`, up to `CRANT_CACHE_MEGABYTES`; the
    longest unused go first. (Not for datasets whose history can be set back.)

    Source: `GET /meshing/api/v1/table/{table}/manifest/{root}:0`, its fragments from the bucket, and for the check
    `POST /segmentation/api/v1/table/{table}/node/leaves_many`, for all neurons at once and once for each. If chunks
    lack a mesh, `…/root_timestamps` and `POST /l2cache/api/v1/table/{table}/attributes`.

    Parameters
    ----------
    neurons : ids or neurons
        Root ids as integers or strings, one or many; navis neurons; anything with `get_roots()`. Old roots work too.
    omit_failures : bool, optional
        What to do about neurons that have no mesh, are no roots, or lack a piece: None raises, True leaves them out,
        False puts empty neurons in their places; the last two log a warning. Trouble with the server always raises.
    threads : int, default 5
        Neurons on their way at a time, each with a few pieces; of all together, 64 connections to a server at most.
    dataset : str or Dataset, optional
        Name or alias; left out, the default dataset.

    Returns
    -------
    navis.MeshNeuron or navis.NeuronList
        A neuron for one id; a list for many and for a list of one, in input order, repetitions kept as copies. Also an
        empty list for one that was left out. Vertices in nm; `id` is the root id; `_l2_chunks_missing` says how many L2
        chunks were too small to be meshed.

    Raises
    ------
    InvalidId
        Something is no root id.
    NotARoot
        The dataset has no such root.
    MeshNotFound
    DataMissing
        A part of it is not meshed yet, or the bucket lacks a piece.
    SourceError
    """
    check_omission(omit_failures)
    source = source_of(dataset)
    roots = roots_of(source, neurons)
    outcomes = whole_meshes(source, roots, omit_failures, threads)
    return as_asked(in_order(roots, outcomes, _neuron, _empty, omit_failures), is_one(neurons))


def whole_meshes(
    source: CaveSource,
    roots: Sequence[int],
    omit_failures: bool | None = None,
    threads: int = 5,
    *,
    progress: Progress = False,
    each: Callable[[int, Kept | CrantError], None] = lambda root, outcome: None,
) -> dict[int, Kept | CrantError]:
    """Fetch whole meshes, each root once: from disk what is there, the others from the source.

    `each` is called with every outcome as it comes, from several threads; `progress` counts what is not on disk.

    Returns
    -------
    dict of int to Kept or CrantError
        Errors only if `omit_failures` is not None; without it, they are raised.
    """
    store, space = (mesh_store(), source.graph.name) if source.dataset.lasting else (None, "")
    distinct = list(dict.fromkeys(roots))
    found: dict[int, Kept | CrantError] = {}
    if store is not None:
        kept = {root: store.get(space, root) for root in distinct}
        found = {root: mesh for root, mesh in kept.items() if mesh is not None}
    for root, outcome in found.items():
        each(root, outcome)
    wanted = [root for root in distinct if root not in found]
    careful = caught(_fetcher(source, wanted, is_strict=omit_failures is None), omit_failures)

    def one(root: int) -> Kept | CrantError:
        outcome = careful(root)
        if store is not None and isinstance(outcome, Kept):
            store.put(space, root, outcome)
        each(root, outcome)
        return outcome

    came = at_once(one, wanted, threads, progress=progress, what="meshes")
    return found | dict(zip(wanted, came, strict=True))


def _fetcher(source: CaveSource, roots: Sequence[int], *, is_strict: bool) -> Callable[[int], Kept]:
    """Return what fetches each of some roots; if that is strict, what is none is refused before any download."""
    l2_ids = source.graph.leaves_many(np.array(roots, dtype=np.uint64), _L2)
    for root in roots if is_strict else ():
        check_known(source, root, l2_ids[root])
    return lambda root: _fetched(source, root, l2_ids[root])


def check_known(source: CaveSource, root: int, l2_ids: Ids) -> None:
    """Refuse a root that consists of nothing.

    Raises
    ------
    NotARoot
    """
    if not len(l2_ids):
        hint = "is it of another dataset?"
        raise NotARoot(f"{source.dataset.name} has no root {root}", value=root, hint=hint)


def _fetched(source: CaveSource, root: int, l2_ids: Ids) -> Kept:
    check_known(source, root, l2_ids)
    pieces, missing = whole_pieces(source, root, l2_ids)
    return Kept(welded(list(pieces.values())), missing)


def _neuron(root: int, kept: Kept) -> Any:
    return mesh_neuron(root, Mesh(kept.mesh.vertices.copy(), kept.mesh.faces.copy()), kept.missing)


def _empty(root: int) -> Any:
    return mesh_neuron(root, Mesh(np.empty((0, 3)), np.empty((0, 3), dtype=np.int64)), 0)


def mesh_neuron(id_: int, mesh: Mesh, missing: int = 0) -> Any:
    """Return a mesh as navis has it, vertices in nm."""
    import navis

    found = navis.MeshNeuron({"vertices": mesh.vertices, "faces": mesh.faces}, id=id_, units="1 nm", process=False)
    found._l2_chunks_missing = missing
    return found
