"""Which roots a neuron from elsewhere runs through."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from crant_core.access import source_of
from crant_core.datasets import Dataset
from crant_core.errors import InvalidInput
from crant_core.segmentation.places import points_nm, warn_if_outside
from crant_core.times import When, resolve

if TYPE_CHECKING:
    import pandas as pd


_PLACES = ("nodes", "vertices", "points")  # of a TreeNeuron, a MeshNeuron, Dotprops
_HINT = "give navis' TreeNeurons, MeshNeurons or Dotprops, or a table of nodes"


def neuron_to_segments(
    x: Any,
    short: bool = False,
    coordinates: str = "nm",
    *,
    dataset: str | Dataset | None = None,
    timestamp: When = None,
) -> pd.DataFrame:
    """Count in which roots the nodes of neurons lie.

    Source: the segmentation's bucket, each storage chunk once for all neurons, then
    `POST /segmentation/api/v1/table/{table}/roots_binary`.

    Parameters
    ----------
    x : navis neuron, navis.NeuronList, list of neurons, or pandas.DataFrame
        Neurons in the dataset's space. Of a TreeNeuron nodes are counted, of a MeshNeuron vertices, of Dotprops points.
        A table has a row per node with columns x, y, z; a column `neuron` says whose it is, else all are of neuron 0.
    short : bool
        Give each neuron's best match only.
    coordinates : {"nm", "voxel", "voxels"}
        Unit of the nodes, whatever the neurons' own `units` say; voxels are those of the dataset's viewer (CRANT: 8 × 8
        × 42 nm).
    dataset : str or Dataset, optional
        Left out, the default dataset.
    timestamp : str, int, datetime or None
        Of the roots, one time for all neurons; `None` is now, for the other forms see `locs_to_segments`.

    Returns
    -------
    pandas.DataFrame
        * Matrix: a row per root id (index `root_id`, int64, most nodes first), a column per neuron id in input order,
          int64 node counts, 0 where they do not overlap. Nodes in the background are not counted.
        * `short`: a row per neuron in input order, with columns `id`, `match` (int64 root id, 0 if all nodes are in the
          background) and `confidence` (float64): (nodes in the match - nodes in the second) / nodes not in the
          background; 0 without a match.

        `attrs` hold `timestamp` (ISO 8601, UTC), `materialization` (int, or None if no version was asked for) and
        `dataset`.

    Raises
    ------
    InvalidInput
        Not neurons, a coordinate that is no finite number, an unknown unit.
    InvalidTime
    VersionNotFound
    DataMissing
        Storage lacks a chunk, or forbids it.
    SourceError
    """
    source = source_of(dataset)
    names, places, owners = _places(x)
    points = points_nm(places, coordinates, source.dataset)
    warn_if_outside(points, source.watershed.scale())
    time = resolve(source, timestamp)
    supervoxels = source.watershed.at(points, progress=True)
    roots = source.graph.roots(supervoxels, time.timestamp, progress=True).astype(np.int64)
    counted = _counted(roots, owners)
    found = _best(names, counted) if short else _matrix(names, counted)
    found.attrs |= time.attrs(source.dataset.name)
    return found


@dataclass(frozen=True, slots=True)
class _Counts:
    """How many nodes of which neuron lie in which root, for the pairs that overlap.

    Attributes
    ----------
    roots : (k,) int64
        Most nodes first.
    neuron, root, nodes : (p,) int64
        Places in the lists of neurons and of roots, and the count.
    """

    roots: NDArray[np.int64]
    neuron: NDArray[np.int64]
    root: NDArray[np.int64]
    nodes: NDArray[np.int64]


def _places(x: Any) -> tuple[list[Any], Any, NDArray[np.int64]]:
    """Return the neurons' ids, all places one after the other, and which neuron each is of."""
    if hasattr(x, "columns") and hasattr(x, "loc"):
        return _rows(x)
    neurons = _listed(x)
    parts = [_places_of(neuron) for neuron in neurons]
    owners = np.repeat(np.arange(len(parts)), [len(part) for part in parts])
    return [neuron.id for neuron in neurons], np.concatenate([np.empty((0, 3)), *parts]), owners


def _listed(x: Any) -> list[Any]:
    neurons = getattr(x, "neurons", None)  # of a NeuronList
    if neurons is not None:
        return list(neurons)
    if isinstance(x, Iterable) and not hasattr(x, "id"):
        return [neuron for part in x for neuron in (_listed(part) if hasattr(part, "neurons") else [part])]
    return [x]


def _places_of(neuron: Any) -> NDArray[np.float64]:
    name = next((name for name in _PLACES if hasattr(neuron, name)), None)
    if name is None or not hasattr(neuron, "id"):
        kind = type(neuron).__name__
        raise InvalidInput(f"a {kind} has no nodes", value=kind, hint=_HINT)
    found = getattr(neuron, name)
    table = found[["x", "y", "z"]].to_numpy() if name == "nodes" else found
    return np.asarray(table, dtype=np.float64).reshape(-1, 3)


def _rows(table: Any) -> tuple[list[Any], Any, NDArray[np.int64]]:
    if "neuron" not in table.columns:
        return [0], table, np.zeros(len(table), dtype=np.int64)
    names = list(dict.fromkeys(table["neuron"].tolist()))
    number = {name: place for place, name in enumerate(names)}
    return names, table, np.array([number[name] for name in table["neuron"].tolist()], dtype=np.int64)


def _counted(roots: NDArray[np.int64], owners: NDArray[np.int64]) -> _Counts:
    known = roots != 0
    found, place, totals = np.unique(roots[known], return_inverse=True, return_counts=True)
    order = np.argsort(-totals, kind="stable")
    rank = np.argsort(order)[place]
    pairs, nodes = np.unique(np.stack([owners[known], rank], axis=1), axis=0, return_counts=True)
    return _Counts(found[order], pairs[:, 0], pairs[:, 1], nodes)


def _matrix(names: list[Any], counted: _Counts) -> pd.DataFrame:
    import pandas as pd

    counts = np.zeros((len(counted.roots), len(names)), dtype=np.int64)
    counts[counted.root, counted.neuron] = counted.nodes
    return pd.DataFrame(counts, index=pd.Index(counted.roots, name="root_id"), columns=names)


def _best(names: list[Any], counted: _Counts) -> pd.DataFrame:
    """Keep the best match of each neuron; of equal ones, that with the most nodes of all neurons."""
    import pandas as pd

    pairs = {"neuron": counted.neuron, "root": counted.root, "nodes": counted.nodes}
    ranked = pd.DataFrame(pairs).sort_values(["neuron", "nodes", "root"], ascending=[True, False, True])
    ranked["match"] = counted.roots[ranked.root]
    of_neuron = ranked.groupby("neuron")
    place, everyone = of_neuron.cumcount(), range(len(names))
    top, second = (ranked[place == n].set_index("neuron").reindex(everyone, fill_value=0) for n in (0, 1))
    total = of_neuron.nodes.sum().reindex(everyone, fill_value=0)
    confidence = ((top.nodes - second.nodes) / total.clip(lower=1)).to_numpy()
    return pd.DataFrame({"id": names, "match": top["match"].to_numpy(), "confidence": confidence})
