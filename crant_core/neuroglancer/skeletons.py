"""Skeletons as layers of lines."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from crant_core.datasets import Dataset
from crant_core.errors import InvalidInput
from crant_core.neuroglancer.annotations import layer_of
from crant_core.neuroglancer.scenes import Scene, add_layer, own_copy, resolution_of

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

_COLUMNS = ("node_id", "parent_id", "x", "y", "z")
_DIGITS = 1  # of a voxel: skeletons are no finer, and links that are shorter can be sent


def add_skeleton_layer(
    skeleton: Any, scene: Mapping[str, Any], name: str | None = None, *, dataset: str | Dataset | None = None
) -> Scene:
    """Add a skeleton to a scene: a new layer with a line from each node to its parent.

    Parameters
    ----------
    skeleton : navis.TreeNeuron or pandas.DataFrame
        In nm; a neuron that says it is in another unit of length is converted. A table needs the columns node_id,
        parent_id (below 0 for roots), x, y, z. A NeuronList of one will do.
    scene : dict
        It is not changed.
    name : str, optional
        Name of the layer; left out, the neuron's, else "skeleton". A number is added if another layer has it.
    dataset : str or Dataset, optional
        In whose voxels the lines are written; left out, in the scene's own. They are at the same place.

    Returns
    -------
    dict
        A new scene.

    Raises
    ------
    InvalidInput
        It is no skeleton, or a node's parent is not there.
    """
    copied = own_copy(scene)
    draw(copied, skeleton, name, dataset)
    return copied


def draw(scene: Scene, skeleton: Any, name: str | None, dataset: str | Dataset | None) -> None:
    """Do what `add_skeleton_layer` does, in place."""
    lines = _lines(_nodes_of(skeleton)) * _nm_of(skeleton)
    resolution = resolution_of(scene, dataset)
    called = name_of(skeleton) if name is None else name
    add_layer(scene, layer_of((lines / resolution).round(_DIGITS), called, resolution))


def name_of(skeleton: Any) -> str:
    """Return a neuron's name, or "skeleton"."""
    return str(getattr(_single(skeleton), "name", None) or "skeleton")


def skeletons_of(skeletons: Any) -> list[Any]:
    """Return skeletons in any form as a list, unread."""
    import pandas as pd

    return [skeletons] if isinstance(skeletons, pd.DataFrame) or not hasattr(skeletons, "__iter__") else list(skeletons)


def _single(skeleton: Any) -> Any:
    """Return the neuron of a list of one."""
    return skeleton[0] if hasattr(skeleton, "neurons") and len(skeleton) == 1 else skeleton


def _nodes_of(skeleton: Any) -> pd.DataFrame:
    import pandas as pd

    found = _single(skeleton)
    nodes = found if isinstance(found, pd.DataFrame) else getattr(found, "nodes", None)
    if not isinstance(nodes, pd.DataFrame) or hasattr(found, "neurons"):
        hint = "give one navis.TreeNeuron or a table of nodes; several go into encode_url"
        raise InvalidInput(f"{type(skeleton).__name__} is no skeleton", value=type(skeleton).__name__, hint=hint)
    missing = [column for column in _COLUMNS if column not in nodes.columns]
    if missing:
        columns = ", ".join(map(str, nodes.columns))
        raise InvalidInput(f"the table has no column {missing[0]}", value=columns, hint=f"it has: {columns}")
    return nodes


def _lines(nodes: pd.DataFrame) -> NDArray[np.float64]:
    """Return the line from each node to its parent, (n, 2, 3)."""
    import numpy as np
    import pandas as pd

    parents = nodes["parent_id"].to_numpy(dtype=np.int64)
    rows = np.flatnonzero(parents >= 0)
    found = pd.Index(nodes["node_id"].to_numpy(dtype=np.int64)).get_indexer(pd.Index(parents[rows]))
    if (found < 0).any():
        lost = int(parents[rows[found < 0][0]])
        raise InvalidInput(f"the skeleton has no node {lost}, which is a parent", value=lost)
    places = nodes[["x", "y", "z"]].to_numpy(dtype=np.float64)
    nowhere = np.flatnonzero(~np.isfinite(places).all(axis=1))
    if len(nowhere):
        node = int(nodes["node_id"].iloc[nowhere[0]])
        raise InvalidInput(f"node {node} of the skeleton is at no finite position", value=node, hint="leave it out")
    return np.stack([places[rows], places[found]], axis=1)


def _nm_of(skeleton: Any) -> NDArray[np.float64]:
    """Return the size of a neuron's unit along x, y, z in nm; 1 for what does not say, or says no length."""
    import numpy as np

    units = getattr(_single(skeleton), "units_xyz", None)
    if units is None or not units.check("[length]"):
        return np.ones(3)
    return np.asarray(units.to("nm").magnitude, dtype=np.float64)
