"""Skeletons through L2 chunks."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from crant_core.access import source_of
from crant_core.datasets import Dataset
from crant_core.errors import CrantError, InvalidParameters, SkeletonError
from crant_core.l2.chunks import Features, chunks_of, column, features_of, links_of
from crant_core.l2.others import public_function
from crant_core.l2.tree import spanning_tree, without
from crant_core.meshes.bulk import as_asked, check_omission, check_threads, in_order, is_one, roots_of
from crant_core.meshes.neurons import check_known
from crant_core.segmentation.chunks import chunk_positions, chunks_to_nm
from crant_core.sources.cave import CaveSource
from crant_core.sources.chunkedgraph_requests import Ids

_MIDDLE = 0.5  # of a chunk
_FEW = 0.5  # of the chunks: if fewer are known, people are warned
_OF_NAVIS = ("name", "soma", "annotations", "origin", "created_at")
_WANTED = ("rep_coord_nm", "max_dt_nm", "size_nm3")


@dataclass(frozen=True, eq=False, slots=True)
class _Places:
    """The L2 chunks of one neuron: where each is in nm (the middle of the chunk where it is not known), how thick."""

    points: NDArray[np.float64]
    radii: NDArray[np.float64]
    sizes: NDArray[np.float64]
    known: NDArray[np.bool_]


def get_l2_skeleton(  # noqa: PLR0917 - the documented order
    root_ids: Any,
    refine: bool = True,
    drop_missing: bool = True,
    l2_node_ids: bool = False,
    omit_failures: bool | None = None,
    attach_synapses: bool = False,
    reroot_at_soma: bool = False,
    max_threads: int = 4,
    *,
    progress: bool = True,
    dataset: str | Dataset | None = None,
    **kwargs: Any,
) -> Any:
    """Make skeletons with a node for each L2 chunk: some 2 µm coarse, but made within a second.

    The chunks that touch are linked; where the links run in circles, the shortest ones stay (minimum spanning tree of
    the distances between nodes). The root is the chunk with the largest volume (with `refine`; else the one with the
    lowest L2 id), where the soma is if there is one. Parts of a neuron that do not touch are trees of their own. Twigs
    within a chunk are lost: of real neurons, some 60 % of the cable is left.

    Source: `POST /segmentation/api/v1/table/{table}/node/leaves_many` for 1,000 neurons at a time,
    `GET …/node/{root}/lvl2_graph` for each, and with `refine`
    `POST /l2cache/api/v1/table/{table}/attributes` for 2,000 chunks at a time.

    Parameters
    ----------
    root_ids : ids or neurons
        Root ids as integers or strings, one or many; navis neurons; anything with `get_roots()`. Old roots work too.
    refine : bool, default True
        Put nodes at the L2 cache's representative points, which are inside the neuron, with its largest inner radius.
        If False, nodes are in the middles of the chunks' boxes, which may be up to some µm outside of the neuron, and
        radii are NaN; nothing is asked of the L2 cache, so that it works where that knows nothing.
    drop_missing : bool, default True
        With `refine`: leave out chunks that the L2 cache does not know, and link what they linked to their nearest
        known ancestors. If False, they are in the middle of their chunk, with a radius of NaN.
    l2_node_ids : bool, default False
        Number nodes by L2 ids; else 0, 1, …, each after its parent.
    omit_failures : bool, optional
        What to do about neurons that are no roots, have one L2 chunk only, or of which the L2 cache knows no chunk:
        None raises, True leaves them out, False puts empty neurons in their places; the last two log a warning. Trouble
        with a server always raises.
    attach_synapses : bool, default False
        Hand the neurons to `attach_synapses`, as that does by default.
    reroot_at_soma : bool, default False
        Hand the neurons to `reroot_at_soma`.
    max_threads : int, default 4
        Requests on their way at a time.
    progress : bool
        Whether to show a bar if it takes longer than two seconds.
    dataset : str or Dataset, optional
        Name or alias; left out, the default dataset.
    **kwargs
        For `navis.TreeNeuron`: `name`, `soma`, `annotations`, `origin` or `created_at`.

    Returns
    -------
    navis.TreeNeuron or navis.NeuronList
        A neuron for one id; a list for many and for a list of one, in input order, repetitions kept as copies. Also an
        empty list for one that was left out. Positions and radii in nm; `id` is the root id; `_l2_chunks_missing` says
        how many chunks the L2 cache does not know. Without a soma: radii of chunks do not tell.

    Warns
    -----
    UserWarning
        The L2 cache knows less than half of a neuron's chunks.

    Raises
    ------
    InvalidId
        Something is no root id.
    InvalidParameters
        There is no such keyword, `max_threads` is none, or what shall be done with the neurons is not installed.
    NotARoot
        The dataset has no such root.
    SkeletonError
        A neuron has one L2 chunk, or the L2 cache knows none of it.
    SourceError
    """
    check_omission(omit_failures)
    check_threads(max_threads)
    _check_given(kwargs)
    names = [name for name, wanted in _then(attach_synapses, reroot_at_soma) if wanted]
    steps = [public_function(name) for name in names]  # before anything is fetched
    source = source_of(dataset)
    found = skeletons_of(
        source,
        roots_of(source, root_ids),
        refine=refine,
        drop_missing=drop_missing,
        l2_node_ids=l2_node_ids,
        omit_failures=omit_failures,
        threads=max_threads,
        progress=progress,
        given=kwargs,
    )
    for step in steps:
        found = _worked_on(found, step, source.dataset)
    return as_asked(found, is_one(root_ids))


def skeletons_of(
    source: CaveSource,
    roots: Sequence[int],
    *,
    refine: bool = True,
    drop_missing: bool = True,
    l2_node_ids: bool = False,
    omit_failures: bool | None = None,
    threads: int = 4,
    progress: bool = False,
    given: Mapping[str, Any] | None = None,
    failures: dict[int, CrantError] | None = None,
) -> list[Any]:
    """Do what `get_l2_skeleton` does, for a source.

    Parameters
    ----------
    given : mapping, optional
        For `navis.TreeNeuron`.
    failures : dict, optional
        Takes what is wrong, by root, if `omit_failures` is not None.

    Returns
    -------
    list of navis.TreeNeuron
    """
    chunks = chunks_of(source, roots, progress=progress, known=False)
    outcomes: dict[int, Any] = {root: _problem(source, root, ids) for root, ids in chunks.items()}
    if omit_failures is None:
        _raise_first(outcomes)
    usable = {root: ids for root, ids in chunks.items() if outcomes[root] is None}
    links = links_of(source, usable, threads=threads, progress=progress)
    features = features_of(source, usable if refine else {}, _WANTED, threads=threads, progress=progress)
    for root, ids in usable.items():
        outcomes[root] = _outcome(source, root, ids, links[root], features if refine else None)
    if failures is not None:
        failures.update({root: one for root, one in outcomes.items() if isinstance(one, CrantError)})

    def make(root: int, places: _Places) -> Any:
        kept = places.known if refine and drop_missing else np.ones(len(places.known), dtype=np.bool_)
        labels = chunks[root].astype(np.int64) if l2_node_ids else None
        nodes = _nodes(places, links[root], kept, labels)
        return _neuron(root, nodes, int((~places.known).sum()) if refine else 0, dict(given or {}))

    def empty(root: int) -> Any:
        return _neuron(root, _no_nodes(), 0, dict(given or {}))

    return in_order(roots, outcomes, make, empty, omit_failures)


def _check_given(given: Mapping[str, Any]) -> None:
    for name in given:
        if name not in _OF_NAVIS:
            hint = f"navis.TreeNeuron is given {', '.join(_OF_NAVIS)}; id and units are the root's, and nm"
            raise InvalidParameters(f"get_l2_skeleton has no argument {name!r}", value=name, hint=hint)


def _worked_on(neurons: list[Any], step: Callable[..., Any], dataset: Dataset) -> list[Any]:
    """Hand neurons to a function, but for the empty ones."""
    full = [neuron for neuron in neurons if neuron.n_nodes]
    done = iter(step(as_asked(full, one=False), dataset=dataset) if full else ())
    return [next(done) if neuron.n_nodes else neuron for neuron in neurons]


def _then(attach_synapses: bool, reroot_at_soma: bool) -> list[tuple[str, bool]]:
    return [("reroot_at_soma", reroot_at_soma), ("attach_synapses", attach_synapses)]


def _raise_first(outcomes: dict[int, Any]) -> None:
    for problem in outcomes.values():
        if problem is not None:
            raise problem


def _problem(source: CaveSource, root: int, ids: Ids) -> CrantError | None:
    """Say why nothing can be made of a root, before anything else is asked about it."""
    try:
        check_known(source, root, ids)
    except CrantError as error:
        return error
    if len(ids) > 1:
        return None
    hint = "its mesh may do; see get_mesh_neuron"
    return SkeletonError(f"{root} is one L2 chunk, and no skeleton", value=root, hint=hint)


def _outcome(
    source: CaveSource, root: int, ids: Ids, links: NDArray[np.int64], features: Features | None
) -> _Places | SkeletonError:
    if not len(links):
        return SkeletonError(f"none of the {len(ids)} L2 chunks of {root} touch", value=root)
    places = _places(source, ids, features)
    if features is not None and not places.known.any():
        hint = "fresh edits are added with a delay; or use refine=False"
        return SkeletonError(f"the L2 cache knows none of the {len(ids)} chunks of {root}", value=root, hint=hint)
    if features is not None and places.known.mean() < _FEW:
        message = f"the L2 cache knows {places.known.sum()} of the {len(ids)} chunks of {root}: its skeleton has gaps"
        warnings.warn(message, stacklevel=3)
    return places


def _places(source: CaveSource, ids: Ids, features: Features | None) -> _Places:
    nothing: Features = {l2_id: {} for l2_id in ids.tolist()}
    points, radii, sizes = (column(features or nothing, ids, name) for name in _WANTED)
    known = np.isfinite(points[:, 0]) & np.isfinite(radii)
    if not known.all():
        volume = source.watershed.volume(0)
        points[~known] = chunks_to_nm(chunk_positions(ids[~known], volume) + _MIDDLE, volume)
        radii[~known] = sizes[~known] = np.nan
    return _Places(points, radii, sizes, known)


def _nodes(places: _Places, links: NDArray[np.int64], kept: NDArray[np.bool_], labels: NDArray[np.int64] | None) -> Any:
    """Return the table of nodes that navis reads, parents first."""
    import pandas as pd

    # A known chunk is the root even if its size is not known: its radius is.
    weight = np.where(places.known & ~np.isfinite(places.sizes), 0.0, places.sizes)
    parents, order = spanning_tree(places.points, links, weight)
    parents, order = without(parents, kept), order[kept[order]]
    number = np.full(len(parents) + 1, -1, dtype=np.int64)  # the last one is where a root's parent, -1, points
    number[order] = np.arange(len(order)) if labels is None else labels[order]
    table = pd.DataFrame({"node_id": number[order], "parent_id": number[parents[order]]})
    table[["x", "y", "z"]] = places.points[order]
    table["radius"] = places.radii[order]
    return table


def _no_nodes() -> Any:
    import pandas as pd

    kinds = {"node_id": "int64", "parent_id": "int64", **dict.fromkeys(("x", "y", "z", "radius"), "float64")}
    return pd.DataFrame({name: pd.Series([], dtype=kind) for name, kind in kinds.items()})


def _neuron(root: int, nodes: Any, missing: int, given: dict[str, Any]) -> Any:
    import navis

    found = navis.TreeNeuron(nodes, **({"id": root, "units": "1 nm"} | given))
    if "soma" not in given:
        found.soma = None  # navis takes every node thicker than 10 units for one
    found._l2_chunks_missing = missing
    return found
