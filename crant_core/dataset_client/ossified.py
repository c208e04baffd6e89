"""ossify's cells: put together from parts, moved with their radii, and seen by navis. Heavy: import it where used."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from crant_core.errors import InvalidInput, WrongType
from crant_core.units import NM_PER_UM

if TYPE_CHECKING:
    import pandas as pd
    from ossify import Cell

_FRAMES = ("rigid", "streamline")
_UNITS = {"nm": "1 nm", "um": "1 um"}
_SIDES = (("pre", "post"), ("post", "pre"))
_CONNECTORS = ("connector_id", "x", "y", "z", "type", "partner_id", "node_id", "synapse_id")


@dataclass(frozen=True)
class Mover:
    """Moves places in nm into an oriented frame in µm; `version` is that of standard-transform's data."""

    transform: Any
    streamline: Any
    frame: str
    version: str

    def __call__(self, places: NDArray[np.float64]) -> NDArray[np.float64]:
        """Move (n, 3) nm to µm."""
        return np.asarray(self.transform.apply(np.asarray(places, dtype=np.float64)))


def mover(space: Any, kind: str) -> Mover:
    """Return what moves into a dataset's frame.

    Raises
    ------
    InvalidInput
        There is no such kind of frame.
    """
    if kind not in _FRAMES:
        raise InvalidInput(f"{kind!r} is no transform", value=kind, hint="rigid, streamline or None")
    transform = space.transform("nm")
    if kind == "rigid":
        return Mover(transform, None, f"{space.name} rigid", str(transform.version))
    streamline = space.streamline("nm")
    return Mover(transform, streamline, f"{space.name} streamline", str(streamline.version))


def assemble(
    cave: Any, root: int, when: Any, parts: dict[str, Any], *, restore_graph: bool, move: Mover | None
) -> Cell:
    """Put a cell together and move it; of the server, only the graph's edges are asked for."""
    from ossify import load_cell_from_client  # it brings matplotlib, which writes a cache

    if move is not None:  # ossify moves places only
        radius = np.asarray(parts["skeleton"]["radius"], dtype=np.float64) / NM_PER_UM
        parts = parts | {"skeleton": parts["skeleton"] | {"radius": radius}}
    cell = load_cell_from_client(
        root,
        cave,
        synapses="pre_syn_df" in parts,
        include_partner_root_id=True,
        timestamp=when,
        assume_valid=True,
        restore_graph=restore_graph,
        **parts,
    )
    return _placed(cell, move)


def _placed(cell: Cell, move: Mover | None) -> Cell:
    """Say in which frame and unit a cell is, and move its places there."""
    if move is None:
        cell.meta.update(units="nm", frame="dataset", transform_version=None, standard_transform=None)
        return cell
    if move.streamline is None:
        moved = cell.transform(move)
    else:
        root = np.asarray(cell.skeleton.root_location, dtype=np.float64)
        moved = cell.transform(lambda places: _offsets(move, root, places))
    package = version("standard-transform")
    moved.meta.update(units="um", frame=move.frame, transform_version=move.version, standard_transform=package)
    return moved


def _offsets(move: Mover, root: NDArray[np.float64], places: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return x and z beside the root's streamline, and y as it is in the rigid frame."""
    found = np.array(move.streamline.radial_points(root, np.asarray(places)), dtype=np.float64)
    found[:, 1] = move(places)[:, 1]  # standard-transform's own raw depth is not transformed
    return found


def to_navis(cell: Cell) -> Any:
    """Return the skeleton of a cell as a navis neuron in the same unit and frame, with its synapses.

    Parameters
    ----------
    cell : ossify.Cell
        Of `DatasetClient.get_skeleton`.

    Returns
    -------
    navis.TreeNeuron
        `id` is the root id, and the column `label` of its nodes holds SWC's compartments. If the cell has synapses,
        `connectors` has the columns that `crant_core.attach_synapses` gives: `connector_id`, `x`, `y`, `z` (the
        synapse's middle, in the cell's unit), `type`, `partner_id`, `node_id` (of the skeleton, by the synapse's L2
        chunk; the nearest one where that has none), `synapse_id`.

    Raises
    ------
    WrongType
        It is no cell.
    InvalidInput
        It does not say whose it is, or in which unit.
    """
    import navis

    root, unit = _told(cell)
    neuron = navis.TreeNeuron(_nodes(cell), units=unit, id=root, name=str(root))
    tables = [_connectors(cell, side, other) for side, other in _SIDES if f"{side}_syn" in cell.annotations.names]
    if tables:
        import pandas as pd

        found = pd.concat(tables).sort_values(["synapse_id", "side"], kind="stable", ignore_index=True)
        kinds = pd.Categorical(found["type"], categories=[side for side, _ in _SIDES])
        numbers = np.arange(len(found), dtype=np.int64)
        neuron.connectors = found.drop(columns="side").assign(type=kinds, connector_id=numbers)[[*_CONNECTORS]]
    return neuron


def _nodes(cell: Cell) -> pd.DataFrame:
    import pandas as pd

    skeleton = cell.skeleton
    places, features = np.asarray(skeleton.vertices), skeleton.features
    return pd.DataFrame(
        {
            "node_id": np.arange(len(places)),
            "label": np.asarray(features["compartment"], dtype=np.int32),
            **dict(zip("xyz", places.T, strict=True)),
            "radius": np.asarray(features["radius"], dtype=np.float64),
            "parent_id": np.asarray(skeleton.parent_node_array).astype(np.int64),
        }
    )


def _connectors(cell: Cell, side: str, other: str) -> pd.DataFrame:
    import pandas as pd

    layer = cell.annotations[f"{side}_syn"]
    places = np.asarray(layer.vertices, dtype=np.float64)
    nodes = np.zeros(0, dtype=np.int64)
    if len(places):
        nodes = np.asarray(layer.map_index_to_layer("skeleton", as_positional=True, missing=-1), dtype=np.int64)
        _, nearest = cell.skeleton.kdtree.query(places)
        nodes = np.where(nodes < 0, nearest, nodes)
    return pd.DataFrame(
        {
            **dict(zip("xyz", places.T, strict=True)),
            "type": side,
            "side": side != "pre",
            "partner_id": layer.nodes[f"{other}_pt_root_id"].to_numpy(np.int64),
            "node_id": nodes,
            "synapse_id": np.asarray(layer.vertex_index, dtype=np.int64),
        }
    )


def _told(cell: Any) -> tuple[int, str]:
    """Return whose cell it is, and its unit, as navis has it."""
    meta = getattr(cell, "meta", None)
    if not isinstance(meta, Mapping):
        kind = type(cell).__name__
        raise WrongType(f"{kind} is no cell", value=kind, hint="give what DatasetClient.get_skeleton returns")
    units = meta.get("units")
    if "root_id" not in meta or units not in _UNITS:
        hint = f"cells of DatasetClient.get_skeleton do; cell.meta needs root_id, and units: {' or '.join(_UNITS)}"
        raise InvalidInput("the cell does not say whose it is, or in which unit", value=repr(units), hint=hint)
    return meta["root_id"], _UNITS[units]
