"""Synapses on skeletons, as navis' connectors."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from crant_core.errors import InvalidInput, WrongType
from crant_core.synapses import rows as table
from crant_core.synapses.filters import Filters
from crant_core.synapses.question import Question
from crant_core.synapses.rows import ID, POST, POST_AT, PRE, PRE_AT

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from crant_core.times import When

_log = logging.getLogger(__name__)

_TYPES = pd.Index(["pre", "post"])
_AT = (PRE_AT, POST_AT)
_OWN = (PRE, POST)


def attach_synapses(  # noqa: PLR0917 - the order that people know
    neurons: Any,
    pre: bool = True,
    post: bool = True,
    threshold: int = 1,
    min_size: float | None = None,
    materialization: When = "latest",
    clean: bool = True,
    max_distance: float = 10000.0,
    update_ids: bool = True,
    dataset: Any = None,
) -> Any:
    """Attach synapses to skeletons: each at the node that is nearest to it.

    Parameters
    ----------
    neurons : navis.TreeNeuron or navis.NeuronList
        Skeletons in nm. Their `id` is a root id of any age: a neuron that was edited since gets the synapses of what it
        is at the time, as far as they are near its skeleton. Their connectors are replaced; ids stay.
    pre, post : bool, default True
        Attach synapses where a neuron is presynaptic (outputs), postsynaptic (inputs).
    threshold : int, default 1
        Leave out synapses of pairs with fewer.
    min_size, materialization, update_ids, dataset
        As in `get_synapses`; filters work in the same order.
    clean : bool, default True
        As in `get_synapses`, and leave out what is further than `max_distance` from the skeleton.
    max_distance : float, default 10000
        nm. It comes last: `threshold` counts synapses far away too.

    Returns
    -------
    navis.TreeNeuron or navis.NeuronList
        The same object. `connectors` has, in order of `synapse_id`, outputs first:

        * `connector_id`: int64, numbers from 0 on each neuron.
        * `x`, `y`, `z`: float64 nm, exactly as stored: of the presynaptic side for outputs, else of the postsynaptic
          side.
        * `type`: category, `pre` or `post`, which the neuron is.
        * `partner_id`: int64, root id of the other neuron at the time.
        * `node_id`: the nearest node.
        * `synapse_id`: int64, id in the synapse table. A synapse between two of the neurons is on both of them.

        Its `attrs` are as in `get_synapses`.

    Raises
    ------
    WrongType
        It is no skeleton, or not all of them are. It is a TypeError too.
    InvalidInput
        Neither `pre` nor `post`; a skeleton that has no nodes, or is not in nm.
    InvalidId
        The id of a neuron is no root id.
    InvalidTime, VersionNotFound, SourceError
        As `get_synapses`. If anything fails, all neurons are as they were.

    Notes
    -----
    Endpoints: as in `get_synapses`, for all neurons at once. Algorithm: one k-d tree per skeleton, asked once.
    """
    if not (pre or post):
        raise InvalidInput("neither pre nor post is to be attached", hint="set one of them, or both")
    skeletons = _skeletons(neurons)
    question = Question.of(dataset, materialization, update=update_ids)
    (found,) = question.neurons([skeleton.id for skeleton in skeletons])
    sides = [side for side, is_asked in enumerate((pre, post)) if is_asked]
    filters = Filters(threshold, min_size, clean)
    columns = (*filters.columns, *(_AT[side] for side in sides))
    rows = filters.keep(table.fetch(question, [{_OWN[side]: found.roots.tolist()} for side in sides], columns))
    tables = connectors(skeletons, found.roots, rows, sides, max_distance if clean else np.inf)
    for skeleton, attached in zip(skeletons, tables, strict=True):
        attached.attrs |= question.attributes
        skeleton.connectors = attached
    return neurons


def connectors(
    skeletons: Sequence[Any], roots: NDArray[np.int64], rows: pd.DataFrame, sides: Sequence[int], max_distance: float
) -> list[pd.DataFrame]:
    """Make the connectors of skeletons; these stay as they are.

    Parameters
    ----------
    skeletons : sequence of navis.TreeNeuron
        In nm, each with nodes.
    roots : (n,) int64
        Their roots.
    rows : DataFrame
        Synapses: `id`, both root ids, and positions of the sides in columns `*_x`, `*_y`, `*_z`, nm. What has no
        position is left out.
    sides : sequence of int
        0 for presynaptic, 1 for postsynaptic.
    max_distance : float
        nm, from the nearest node.

    Returns
    -------
    list of DataFrame
    """
    ends = [_Side.of(rows, side) for side in sides]
    ids = rows[ID].to_numpy()
    return [_attached(skeleton, root, ends, ids, max_distance) for skeleton, root in zip(skeletons, roots, strict=True)]


@dataclass(frozen=True, slots=True)
class _Side:
    """One side of all synapses, in order of the neurons on it."""

    side: int
    order: NDArray[np.intp]
    own: NDArray[np.int64]
    partner: NDArray[np.int64]
    positions: NDArray[np.float64]

    @classmethod
    def of(cls, rows: pd.DataFrame, side: int) -> _Side:
        own, positions = rows[_OWN[side]].to_numpy(), table.positions(rows, _AT[side])
        known = np.flatnonzero(np.isfinite(positions).all(axis=1))
        order = known[np.argsort(own[known], kind="stable")]
        return cls(side, order, own[order], rows[_OWN[1 - side]].to_numpy(), positions)

    def rows_of(self, root: int) -> NDArray[np.intp]:
        first, last = np.searchsorted(self.own, [root, root + 1])
        return self.order[first:last]


def _attached(
    skeleton: Any, root: int, ends: Sequence[_Side], ids: NDArray[np.int64], max_distance: float
) -> pd.DataFrame:
    mine = [end.rows_of(root) for end in ends]
    places = np.concatenate([end.positions[rows] for end, rows in zip(ends, mine, strict=True)])
    partner = np.concatenate([end.partner[rows] for end, rows in zip(ends, mine, strict=True)])
    side = np.repeat([end.side for end in ends], [len(rows) for rows in mine])
    synapse, (node, is_near) = ids[np.concatenate(mine)], _nearest(skeleton.nodes, places, max_distance)
    if is_near.sum() < len(is_near) / 2:
        message = "%d of %d synapses of %s are further than %g nm from its skeleton: is it in nm?"
        _log.warning(message, (~is_near).sum(), len(is_near), root, max_distance)
    order = np.lexsort((side, synapse))
    order = order[is_near[order]]
    return pd.DataFrame(
        {
            "connector_id": np.arange(len(order), dtype=np.int64),
            **{axis: places[order, column] for column, axis in enumerate("xyz")},
            "type": pd.Categorical.from_codes(side[order].tolist(), categories=_TYPES),
            "partner_id": partner[order],
            "node_id": node[order],
            "synapse_id": synapse[order],
        }
    )


def _nearest(
    nodes: pd.DataFrame, places: NDArray[np.float64], max_distance: float
) -> tuple[NDArray[Any], NDArray[np.bool_]]:
    """Return the nearest node of each place, and whether it is near enough; if not, the node means nothing."""
    from scipy.spatial import cKDTree

    tree = cKDTree(nodes[["x", "y", "z"]].to_numpy(np.float64))
    bound = 1.001 * max_distance + 1  # it excludes what is exactly as far, and rounds
    distances, nearest = tree.query(places, distance_upper_bound=bound)
    is_near = distances <= max_distance
    return nodes["node_id"].to_numpy()[np.where(is_near, nearest, 0)], is_near


def _skeletons(neurons: Any) -> list[Any]:
    import navis

    is_many = isinstance(neurons, navis.NeuronList)
    listed = list(neurons) if is_many else [neurons]
    wrong = next((one for one in listed if not isinstance(one, navis.TreeNeuron)), None)
    if wrong is not None or (not is_many and neurons is None):
        kind = type(wrong).__name__
        raise WrongType(f"{kind} is no skeleton", value=kind, hint="give a navis.TreeNeuron, or a NeuronList of them")
    for problem in (found for one in listed for found in _problems(one)):
        raise problem
    return listed


def _problems(skeleton: Any) -> Iterator[InvalidInput]:
    nodes = getattr(skeleton, "nodes", None)
    if nodes is None or not len(nodes):
        hint = "leave it out, such as with neurons[neurons.n_nodes > 0]; omit_failures=False puts such in empty places"
        yield InvalidInput(f"neuron {skeleton.id} has no nodes", value=str(skeleton.id), hint=hint)
    units = getattr(skeleton, "units", None)
    if units is not None and not getattr(units, "dimensionless", True):
        nm = np.asarray(units.to("nm").magnitude, dtype=np.float64)
        if not np.allclose(nm, 1.0):
            hint = 'convert it before, such as with neuron.convert_units("nm")'
            raise InvalidInput(f"neuron {skeleton.id} is in units of {units}, not nm", value=str(units), hint=hint)
