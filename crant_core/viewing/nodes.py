"""Which node of a skeleton is at a position."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from crant_core.errors import InvalidInput

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import ArrayLike, NDArray

    Nodes = int | NDArray[np.int64]
    Distances = float | NDArray[np.float64]

_COLUMNS = ["node_id", "x", "y", "z"]


def map_position_to_node(
    neuron: Any, position: ArrayLike, return_distance: bool = False
) -> Nodes | tuple[Nodes, Distances]:
    """Find the node of a skeleton that is nearest to a position.

    Parameters
    ----------
    neuron : navis.TreeNeuron
        Or a NeuronList of one. It is not changed.
    position : array_like, (3,) or (n, 3)
        In the units of the neuron's nodes, which is nm throughout this library. Many positions at once cost one tree.
    return_distance : bool, default False
        Return the distances too.

    Returns
    -------
    node_id : int, or ndarray (n,) int64
        For many positions, in their order. Of nodes equally near, one.
    distance : float, or ndarray (n,) float64
        Euclidean, in the same units; only with `return_distance`.

    Raises
    ------
    InvalidInput
        It is no skeleton, it has no nodes or one without a position, or these are no positions.

    Notes
    -----
    Algorithm: a k-d tree of the nodes, asked once.
    """
    import numpy as np
    from scipy.spatial import KDTree

    nodes = _nodes_of(neuron)
    places = _places(position)
    points = nodes[_COLUMNS[1:]].to_numpy(dtype=float)
    if not np.isfinite(points).all():
        lost = nodes["node_id"].to_numpy()[~np.isfinite(points).all(axis=1)][:3].tolist()
        raise InvalidInput(f"nodes {lost} are at no finite position", value=lost, hint="leave them out")
    distances, rows = KDTree(points).query(places)
    ids = nodes["node_id"].to_numpy(dtype="int64")[rows]
    if places.ndim == 1:
        return (int(ids), float(distances)) if return_distance else int(ids)
    return (ids, distances) if return_distance else ids


def _nodes_of(neuron: Any) -> Any:
    import navis

    if isinstance(neuron, navis.NeuronList) and len(neuron) == 1:
        neuron = neuron[0]
    if not isinstance(neuron, navis.TreeNeuron):
        hint = "give one navis.TreeNeuron; of several, one at a time"
        raise InvalidInput(f"{type(neuron).__name__} is no skeleton", value=type(neuron).__name__, hint=hint)
    nodes = getattr(neuron, "nodes", None)
    if nodes is None or not len(nodes):
        raise InvalidInput(f"neuron {neuron.id} has no nodes", value=str(neuron.id), hint="there is nothing to map to")
    return nodes


def _places(position: ArrayLike) -> NDArray[np.float64]:
    import numpy as np

    try:
        places = np.asarray(position, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise InvalidInput(f"these are no positions: {error}", value=repr(position)[:200]) from error
    if places.size == 0:
        places = places.reshape(0, 3)
    if places.ndim > 2 or places.shape[-1:] != (3,) or not np.isfinite(places).all():  # noqa: PLR2004 - rows and axes
        hint = "give [x, y, z], or one such row per position, all finite"
        raise InvalidInput("these are no positions", value=repr(position)[:200], hint=hint)
    return places
