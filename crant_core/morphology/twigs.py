"""Twigs of neurons as people have them: navis' skeletons, lists of them, or plain arrays."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from crant_core.bounds import check_finite
from crant_core.errors import InvalidInput
from crant_core.meshes.bulk import is_one
from crant_core.morphology.treeneurons import skeleton_and_ids
from crant_core.skeleton import twigs
from crant_core.skeleton.tree import Skeleton
from crant_core.somata.inputs import skeletons_of

Ids = NDArray[np.int64]
_log = logging.getLogger(__name__)


def shave_skeleton(
    skeleton: Any, *, min_length: float = 0.0, radii: float = 1.0, keep: NDArray[np.integer] | None = None
) -> Any:
    """Prune short terminal twigs; never a root, the soma, or all of a neuron.

    Parameters
    ----------
    skeleton : navis.TreeNeuron, navis.NeuronList or Skeleton
        In nm; left as it is. Also a list of neurons.
    min_length : float
        Twigs shorter than this (nm) go, measured from the branch they hang from.
    radii : float
        Twigs shorter than this many radii of that branch go too.
    keep : array_like of int, optional
        Nodes that stay, by `node_id`, of a Skeleton by number; what lies between them and the root stays as well. The
        `soma` of a TreeNeuron always does.

    Returns
    -------
    navis.TreeNeuron, navis.NeuronList or Skeleton
        A copy, of the sort that was given. Nodes keep their ids; connectors on nodes that went are gone.

    Raises
    ------
    WrongType
        Something is no skeleton.
    InvalidInput
        One is not in nm, or has no node that is to be kept.
    InvalidParameters
        A length is negative or no number.
    SkeletonError
        One has no nodes, or a node without a radius.
    """
    check_finite(min_length=min_length, radii=radii)
    if isinstance(skeleton, Skeleton):
        return twigs.shave_skeleton(skeleton, min_length=min_length, radii=radii, keep=keep)

    def shaved(neuron: Any) -> Any:
        tree, ids = skeleton_and_ids(neuron)
        stays = [*np.atleast_1d([] if keep is None else keep), *_soma_of(neuron)]
        flags = np.zeros(tree.n_nodes, dtype=np.bool_)
        flags[[_row(neuron, ids, node) for node in stays]] = True
        arrays = tree.nodes, tree.radii, tree.parents
        return _subset(neuron, ids[twigs.prune(*arrays, min_length=min_length, per_radius=radii, keep=flags)])

    return _each(skeleton, shaved)


def remove_soma_hairball(skeleton: Any, soma: int | None = None, radius: float | None = None) -> Any:
    """Remove the twigs that begin and end within the soma; the soma's node stays, and every way out of it.

    Parameters
    ----------
    skeleton : navis.TreeNeuron, navis.NeuronList or Skeleton
        In nm; left as it is. Also a list of neurons.
    soma : int, optional
        The soma's `node_id`, of a Skeleton its number. Left out, each neuron's own `soma`; one that has none comes
        back as it is, which is logged.
    radius : float, optional
        Of the ball around the soma, in nm; 4000 or twice the soma's radius, whichever is more, if left out.

    Returns
    -------
    navis.TreeNeuron, navis.NeuronList or Skeleton
        A copy, of the sort that was given. Nodes keep their ids; connectors on nodes that went are gone.

    Raises
    ------
    WrongType
        Something is no skeleton.
    InvalidInput
        One is not in nm, or has no such node; of a Skeleton, `soma` is left out.
    InvalidParameters
        The radius is negative or no number.
    SkeletonError
        One has no nodes, or a node without a radius.
    """
    if radius is not None:
        check_finite(radius=radius)
    if isinstance(skeleton, Skeleton):
        if soma is None or not 0 <= soma < skeleton.n_nodes:
            raise InvalidInput(
                f"the skeleton has no node {soma}", value=soma, hint="give the number of the soma's node"
            )
        return twigs.remove_soma_hairball(skeleton, soma, radius)

    def bald(neuron: Any) -> Any:
        somata = _soma_of(neuron) if soma is None else [soma]
        if not somata:
            _log.warning("neuron %s stays as it is: it has no soma", neuron.id)
            return neuron.copy()
        tree, ids = skeleton_and_ids(neuron)
        return _subset(neuron, ids[twigs.outside_hairball(tree, _row(neuron, ids, somata[0]), radius)])

    return _each(skeleton, bald)


def _each(neurons: Any, function: Callable[[Any], Any]) -> Any:
    import navis

    found = [function(neuron) for neuron in skeletons_of(neurons)]
    return found[0] if is_one(neurons) else navis.NeuronList(found)


def _soma_of(neuron: Any) -> list[int]:
    soma = neuron.soma
    return [] if soma is None else [int(node) for node in np.atleast_1d(soma)]


def _row(neuron: Any, ids: Ids, node: Any) -> int:
    rows = np.flatnonzero(ids == node)
    if not len(rows):
        raise InvalidInput(f"neuron {neuron.id} has no node {node}", value=str(node), hint="give a node_id of it")
    return int(rows[0])


def _subset(neuron: Any, ids: Ids) -> Any:
    import navis

    return navis.subset_neuron(neuron, ids, inplace=False)
