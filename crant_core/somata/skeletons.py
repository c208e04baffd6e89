"""Cell bodies on skeletons, by the radii of their nodes."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from crant_core.bounds import check_counts, check_finite
from crant_core.errors import InvalidInput, WrongType
from crant_core.skeleton import Skeleton, Soma
from crant_core.somata.inputs import skeletons_of
from crant_core.somata.search import NOWHERE, judged

MIN_RATIO = (
    1.4  #: by radii of nodes, which are less sure: neurons without a soma reach 1.32; of those with one, most 1.5
)


def detect_soma_skeleton(
    s: Any,
    min_rad: float = 800,
    N: int = 3,  # noqa: N803 - the name that people know
    *,
    min_ratio: float = MIN_RATIO,
) -> int | None:
    """Find the node of the cell body by radii.

    It is the thickest of at least `N` nodes in a row that are thick enough, if it is also so many times as thick as any
    farther than two of its radii: thick neurites go on. `measure_soma` says by how much.

    Parameters
    ----------
    s : navis.TreeNeuron or Skeleton
        In nm. Nodes whose radius is not known, or not more than 0, count as thin.
    min_rad : float, default 800
        nm.
    N : int, default 3
        Of nodes that follow each other, each a parent of the next.
    min_ratio : float
        1.4 misses one of twelve skeletons of neurons with a soma, and takes none without for one. 0 takes the thickest
        node, whatever the others are: also of a neuron without a soma.

    Returns
    -------
    int or None
        Its `node_id`, of a Skeleton its index; None if there is no soma.

    Raises
    ------
    WrongType
        It is no skeleton.
    InvalidInput
        It is not in nm, or has no radii.
    InvalidParameters
    """
    ids, tree = _read(s)
    found = search_tree(*tree, min_radius=min_rad, in_a_row=N, min_ratio=min_ratio)
    return int(ids[found.node]) if found.found else None


def search_tree(
    nodes: NDArray[np.float64],
    radii: NDArray[np.float64],
    parents: NDArray[np.int64],
    *,
    min_radius: float,
    in_a_row: int,
    min_ratio: float,
) -> Soma:
    """Find the thickest place of a tree.

    Parameters
    ----------
    nodes, radii, parents : (n, 3), (n,), (n,)
        Parents as rows, -1 for roots, in any order.
    min_radius, in_a_row, min_ratio
        See `detect_soma_skeleton`.

    Returns
    -------
    Soma
        `node` is a row.
    """
    check_finite(min_radius=min_radius, min_ratio=min_ratio)
    check_counts(N=in_a_row)
    thick = np.where(np.isfinite(radii) & (radii > 0), radii, 0.0)
    if not thick.any():
        return NOWHERE
    fits = _rows(thick >= max(min_radius, np.nextafter(0, 1)), parents) >= in_a_row
    node = int(np.where(fits, thick, 0.0).argmax()) if fits.any() else int(thick.argmax())
    found = judged(nodes, thick, node, min_radius, min_ratio)
    return Soma(node, found.position, found.radius, found.ratio, found.found and bool(fits.any()))


def measured(s: Any, min_rad: float, in_a_row: int, min_ratio: float) -> Soma:
    """Find the thickest place of a skeleton, as people have it; `node` is its id."""
    ids, tree = _read(s)
    found = search_tree(*tree, min_radius=min_rad, in_a_row=in_a_row, min_ratio=min_ratio)
    node = int(ids[found.node]) if found.node >= 0 else -1
    return Soma(node, found.position, found.radius, found.ratio, found.found)


def _rows(chosen: NDArray[np.bool_], parents: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return, for each chosen node, of how many the longest row of chosen nodes through it is; 0 for the others."""
    up = np.where(chosen & (parents >= 0) & chosen[parents], parents, -1)
    order = _parents_first(up)
    above, below = chosen.astype(np.int64), chosen.astype(np.int64)
    for node in order:
        if up[node] >= 0:
            above[node] = above[up[node]] + 1
    for node in order[::-1]:
        if up[node] >= 0:
            below[up[node]] = max(below[up[node]], below[node] + 1)
    return np.where(chosen, above + below - 1, 0)


def _parents_first(parents: NDArray[np.int64]) -> list[int]:
    """Return the nodes that are in rows, parents before children."""
    inside = np.flatnonzero(parents >= 0)
    depth = np.zeros(len(parents), dtype=np.int64)
    above = parents[inside]
    at, left = inside, above
    while len(at):
        depth[at] += 1
        going = parents[left] >= 0
        at, left = at[going], parents[left[going]]
    return [int(node) for node in inside[np.argsort(depth[inside], kind="stable")]]


def _read(s: Any) -> tuple[NDArray[np.int64], tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.int64]]]:
    if isinstance(s, Skeleton):
        return np.arange(s.n_nodes), (s.nodes, s.radii, s.parents)
    neuron = _one(s)
    table = neuron.nodes
    if table is None or "radius" not in table:
        raise InvalidInput(f"neuron {neuron.id} has no radii", value=str(neuron.id), hint="detect_soma takes its mesh")
    ids = table["node_id"].to_numpy(np.int64)
    order = np.argsort(ids)
    parent_ids = table["parent_id"].to_numpy(np.int64)
    at = np.searchsorted(ids[order], parent_ids).clip(max=max(len(ids) - 1, 0))
    rows = order[at] if len(ids) else order
    parents = np.where(ids[rows] == parent_ids, rows, -1) if len(ids) else rows
    places = table[["x", "y", "z"]].to_numpy(np.float64)
    return ids, (places, table["radius"].to_numpy(np.float64), parents)


def _one(s: Any) -> Any:
    import navis

    if isinstance(s, navis.NeuronList) and len(s) != 1:
        hint = "one at a time; measure_soma(…, by='radii') takes many"
        raise WrongType(f"{len(s)} neurons are not one skeleton", value=len(s), hint=hint)
    return skeletons_of(s if isinstance(s, navis.NeuronList) else [s])[0]
