"""Skeletons as navis' neurons, and back."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from crant_core.datasets import Dataset
from crant_core.errors import SkeletonError
from crant_core.morphology.made import Made, measured, provenance
from crant_core.skeleton.swc import rows_of_parents
from crant_core.skeleton.tree import Skeleton, in_order
from crant_core.times import TimeBase

_SOMA = 1


def tree_neuron(made: Made, dataset: Dataset, time: TimeBase) -> Any:
    """Return a navis.TreeNeuron that says where it comes from.

    Returns
    -------
    navis.TreeNeuron
        Nodes 0, 1, …, each after its parent; positions and radii in nm; `label` 1 at the soma, else 0. Besides `id`,
        `units` and `soma` it has `skeleton_method`, `quality` (dict of numbers, also sizes and seconds) and
        `provenance` (dict).
    """
    found = _neuron(made.root, _table(made), made.soma)
    found.skeleton_method = made.method
    found.quality = measured(made)
    found.provenance = provenance(made, dataset, time)
    return found


def empty_neuron(root: int, why: str) -> Any:
    """Return a navis.TreeNeuron without nodes for a root that has no skeleton."""
    import pandas as pd

    kinds = {"node_id": "int64", "parent_id": "int64", **dict.fromkeys(("x", "y", "z", "radius"), "float64")}
    found = _neuron(root, pd.DataFrame({name: pd.Series([], dtype=kind) for name, kind in kinds.items()}), None)
    found.skeleton_method, found.quality, found.provenance = "none", {}, {"root_id": str(root), "note": why}
    return found


def neuron_of(skeleton: Skeleton, root_id: int, *, soma: int | None = None) -> Any:
    """Return a Skeleton as a navis.TreeNeuron.

    Parameters
    ----------
    skeleton : Skeleton
        In nm.
    root_id : int
        Becomes its `id`.
    soma : int, optional
        The number of the cell body's node.

    Returns
    -------
    navis.TreeNeuron
        In nm; `node_id` is the node's number in the Skeleton.
    """
    return _neuron(root_id, _table(Made(root=root_id, skeleton=skeleton, method="", soma=soma)), soma)


def skeleton_of(neuron: Any) -> Skeleton:
    """Return a navis.TreeNeuron's nodes as a Skeleton; their ids are not kept, see `skeleton_and_ids`.

    Raises
    ------
    SkeletonError
        It has no nodes, a radius is missing, or its links are no tree.
    """
    return skeleton_and_ids(neuron)[0]


def skeleton_and_ids(neuron: Any) -> tuple[Skeleton, NDArray[np.int64]]:
    """Return a navis.TreeNeuron's nodes as a Skeleton, and the `node_id` of each, (n,).

    Raises
    ------
    SkeletonError
        It has no nodes, a radius is missing, or its links are no tree.
    """
    nodes = getattr(neuron, "nodes", None)
    if nodes is None or not len(nodes):
        raise SkeletonError(f"{neuron.id} has no nodes", value=neuron.id)
    ids, parents = (nodes[name].to_numpy(dtype=np.int64) for name in ("node_id", "parent_id"))
    if "radius" not in nodes:
        raise SkeletonError(f"{neuron.id} has no radii", value=neuron.id)
    places, radii = nodes[["x", "y", "z"]].to_numpy(np.float64), nodes["radius"].to_numpy(np.float64)
    rows = rows_of_parents(ids, parents)
    number = in_order(places, np.arange(len(ids), dtype=np.float64), rows).radii.astype(np.int64)  # who went where
    return in_order(places, radii, rows), ids[number]


def _table(made: Made) -> Any:
    import pandas as pd

    tree = made.skeleton
    labels = np.zeros(tree.n_nodes, dtype=np.int64)
    if made.soma is not None:
        labels[made.soma] = _SOMA
    table = pd.DataFrame({"node_id": np.arange(tree.n_nodes), "parent_id": tree.parents, "label": labels})
    table[["x", "y", "z"]] = tree.nodes
    return table.assign(radius=tree.radii, **made.columns)


def _neuron(root: int, table: Any, soma: int | None) -> Any:
    import navis

    found = navis.TreeNeuron(table, id=root, units="1 nm")
    found.soma = soma  # navis takes every node thicker than 10 units for one
    return found
