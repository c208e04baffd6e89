"""Skeletons that begin at the cell body."""

from __future__ import annotations

import logging
import math
import warnings
from collections.abc import Mapping, Sequence
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from crant_core.cautions import WrongUnitWarning
from crant_core.datasets import Dataset
from crant_core.errors import InvalidInput, InvalidParameters
from crant_core.meshes.bulk import is_one
from crant_core.registry import dataset_of
from crant_core.skeleton import Soma
from crant_core.somata.inputs import skeletons_of
from crant_core.somata.neurons import measure_soma
from crant_core.values import is_many
from crant_core.viewing.nodes import map_position_to_node

_AXES = 3
_OPTIONS = ("min_rad", "N", "min_ratio", "missing_ok", "threads", "progress", "dataset")  # of detect_soma
_log = logging.getLogger(__name__)
Place = tuple[NDArray[np.float64] | None, float | None]  #: nm, or None if there is no soma; and how clear it is


def reroot_at_soma(
    neurons: Any,
    soma_coords: Any = None,
    detect_soma_kwargs: Mapping[str, Any] | None = None,
    inplace: bool = True,
    progress: bool = False,
    *,
    dataset: str | Dataset | None = None,
) -> Any:
    """Root skeletons at the node that is nearest to their cell body, and make that node their `soma`.

    A neuron without a soma, or whose mesh cannot be had, stays as it is, which is logged. Each neuron says what became
    of it: `_soma_found`, and `_soma_ratio`, see `measure_soma`, None where coordinates were given.

    Source: as `detect_soma`; none if coordinates are given.

    Parameters
    ----------
    neurons : navis.TreeNeuron or navis.NeuronList
        Or a list of neurons. In nm. Their `id` is a root id of any age.
    soma_coords : array_like, optional
        Voxels of the dataset's viewer: `[x, y, z]` for one neuron, and for many a row for each, in their order; None,
        or NaN, for one without a soma. Left out, somata are looked for in the neurons' meshes.
    detect_soma_kwargs : dict, optional
        For `detect_soma`, if they are.
    inplace : bool, default True
        Otherwise copies are rooted, of all neurons.
    progress : bool, default False
        Show a bar if it takes longer than two seconds.
    dataset : str or Dataset, optional
        Name or alias; left out, the default dataset.

    Returns
    -------
    navis.TreeNeuron or navis.NeuronList
        What was given, or copies. Of a neuron in several trees, the others keep their roots.

    Warns
    -----
    WrongUnitWarning
        A soma is farther from its skeleton than that is long, which therefore stays as it is, with `_soma_found` False:
        are the coordinates voxels?

    Raises
    ------
    WrongType
        Something is no skeleton.
    InvalidInput
        One is not in nm, or has no nodes or one without a position; coordinates are not as many as neurons, or are
        none.
    InvalidParameters
        `detect_soma` has no such option.
    InvalidId
        The id of a neuron, whose mesh is needed, is no root id.
    SourceError
        If anything is raised, all neurons are as they were.
    """
    given, options = skeletons_of(neurons), _options(detect_soma_kwargs)
    _check_nodes(given)
    if soma_coords is None:
        places = _detected(given, options, progress, dataset)
    else:
        places = _placed(soma_coords, len(given), one=is_one(neurons), dataset=dataset_of(dataset))
    rooted = given if inplace else [neuron.copy() for neuron in given]
    for neuron, (place, ratio) in zip(rooted, places, strict=True):
        _reroot(neuron, place, ratio)
    return neurons if inplace else _as_given(rooted, neurons)


def _options(given: Mapping[str, Any] | None) -> dict[str, Any]:
    if given is not None and not isinstance(given, Mapping):
        raise InvalidParameters(f"{given!r} are no options", value=repr(given)[:100], hint="a dict, by name")
    options = dict(given or {})
    for name in options:
        if name not in _OPTIONS:
            hint = f"it has: {', '.join(_OPTIONS)}"
            raise InvalidParameters(f"detect_soma has no option {name!r}", value=str(name), hint=hint)
    return options


def _check_nodes(neurons: Sequence[Any]) -> None:
    for neuron in neurons:
        if neuron.nodes is None or not len(neuron.nodes):
            raise InvalidInput(f"neuron {neuron.id} has no nodes", value=str(neuron.id), hint="leave it out")
        if not np.isfinite(neuron.nodes[["x", "y", "z"]].to_numpy(np.float64)).all():
            problem = f"neuron {neuron.id} has nodes that are at no finite position"
            raise InvalidInput(problem, value=str(neuron.id), hint="leave them out")


def _detected(neurons: Sequence[Any], options: dict[str, Any], progress: bool, dataset: Any) -> list[Place]:
    if not neurons:
        return []
    options = {"missing_ok": True, "progress": progress, "dataset": dataset} | options
    somata: list[Soma] = measure_soma([neuron.id for neuron in neurons], **options)
    return [(np.array(soma.position) if soma.found else None, soma.ratio) for soma in somata]


def _placed(coordinates: Any, count: int, *, one: bool, dataset: Dataset) -> list[Place]:
    """Return what was given, in nm."""
    rows = list(coordinates) if is_many(coordinates) else []
    if one and len(rows) == _AXES and not any(is_many(row) for row in rows):
        rows = [rows]
    if len(rows) != count:
        hint = "give [x, y, z] for one neuron, and a row or None for each of many"
        raise InvalidInput(f"{len(rows)} coordinates for {count} neurons", value=repr(coordinates)[:200], hint=hint)
    resolution = np.array(dataset.viewer_resolution)
    found = (_position(row) for row in rows)
    return [(None if place is None else place * resolution, None) for place in found]


def _position(row: Any) -> NDArray[np.float64] | None:
    """Read a position; None if there is none."""
    if row is None:
        return None
    try:
        values = [math.nan if value is None else float(value) for value in row]
    except (TypeError, ValueError) as error:
        raise InvalidInput(f"{row!r} is no position", value=repr(row)[:200], hint="give x, y, z") from error
    known = np.isfinite(values)
    if len(values) != _AXES or (known.any() and not known.all()) or np.isinf(values).any():
        raise InvalidInput(f"{row!r} is no position", value=repr(row)[:200], hint="give x, y, z")
    return np.array(values) if known.all() else None


def _reroot(neuron: Any, place: NDArray[np.float64] | None, ratio: float | None) -> None:
    import navis

    neuron._soma_found, neuron._soma_ratio = place is not None, ratio
    if place is None:
        _log.warning("neuron %s stays as it is: it has no soma", neuron.id)
        return
    node = cast("int", map_position_to_node(neuron, place))
    if _is_elsewhere(neuron, place, node):
        neuron._soma_found = False
        return
    navis.reroot_skeleton(neuron, node, inplace=True)
    neuron.soma = node


def _is_elsewhere(neuron: Any, place: NDArray[np.float64], node: int) -> bool:
    """Say whether a soma is farther away than its skeleton is long, and warn of it."""
    places = neuron.nodes[["x", "y", "z"]].to_numpy(np.float64)
    length = float(np.linalg.norm(np.ptp(places, axis=0)))
    distance = float(np.linalg.norm(places[(neuron.nodes["node_id"] == node).to_numpy()][0] - place))
    if not length or distance <= length:
        return False
    what = f"the soma of {neuron.id} is {distance:.0f} nm from its skeleton, which stays as it is"
    warnings.warn(f"{what}: are the coordinates voxels?", WrongUnitWarning, stacklevel=4)
    return True


def _as_given(rooted: list[Any], neurons: Any) -> Any:
    import navis

    return rooted[0] if is_one(neurons) else navis.NeuronList(rooted)
