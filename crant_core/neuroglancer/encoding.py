"""Links to what people want to see."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from crant_core.bounds import is_finite
from crant_core.datasets import Dataset
from crant_core.errors import InvalidInput, WrongType
from crant_core.neuroglancer.annotations import annotate
from crant_core.neuroglancer.layers import find_segmentation
from crant_core.neuroglancer.links import scene_to_url
from crant_core.neuroglancer.reading import decode_url
from crant_core.neuroglancer.scenes import (
    Scene,
    construct_scene,
    own_copy,
    resolution_of,
    scene_resolution,
    set_layout,
)
from crant_core.neuroglancer.selection import add_groups, color, groups_of, hide, id_of, listed, show
from crant_core.neuroglancer.skeletons import draw, name_of, skeletons_of
from crant_core.parsing import root_ids_of
from crant_core.values import is_many
from crant_core.viewing.colors import colors_of

if TYPE_CHECKING:
    import pandas as pd

_AXES = (3,)


def encode_url(  # noqa: PLR0917 - the documented order
    segments: Any = None,
    annotations: Any = None,
    coords: Any = None,
    skeletons: Any = None,
    skeleton_names: str | Sequence[str] | None = None,
    seg_colors: Any = None,
    seg_groups: Any = None,
    invis_segs: Any = None,
    scene: Mapping[str, Any] | str | None = None,
    base_neuroglancer: bool = False,
    layout: str = "xy-3d",
    open: bool = False,  # noqa: A002 - the documented name
    to_clipboard: bool = False,
    shorten: bool = False,
    *,
    dataset: str | Dataset | None = None,
) -> str:
    """Make a link to a scene with neurons, annotations and skeletons in it.

    Parameters
    ----------
    segments : int, str, array_like, pandas.Series, pandas.DataFrame, NeuronCriteria, navis neuron(s), optional
        Root ids in any form; they are added to those that a given scene shows.
    annotations : array_like or dict, optional
        Voxels; see `add_annotation_layer`. A dict has a layer's name for each array.
    coords : array_like, (3,), optional
        Middle of the view, voxels.
    skeletons : navis.TreeNeuron, NeuronList or list, optional
        In nm, each a layer; see `add_skeleton_layer`.
    skeleton_names : str or list of str, optional
        Names of those layers: one for all, or one for each.
    seg_colors : str, tuple, list, dict or array, optional
        Of `segments`, or if there are none of what a given scene lists: one colour for all, one for each in a list, by
        id in a dict; an array is labels. See `crant_core.viewing.colors.colors_of`.
    seg_groups : list, array or dict, optional
        Puts segments into layers of their own, which are there but hidden: a label for each of `segments` (layer
        `group_<label>`), or `{name: [id, …]}`. The main layer keeps those that are in no group.
    invis_segs : int, array_like …, optional
        Root ids that are listed but not shown.
    scene : dict or str, optional
        A scene, or a link to one, to add to; it is not changed. Left out, `construct_scene` makes one.
    base_neuroglancer : bool, default False
        Link to Neuroglancer's own site instead of CAVE's Spelunker.
    layout : str, default "xy-3d"
        Of a given scene too.
    open, to_clipboard, shorten : bool, default False
        See `scene_to_url`.
    dataset : str or Dataset, optional
        Of a scene that is made here, the default dataset if left out. For a given scene, whose voxels `coords` and
        `annotations` count; left out, the scene's own.

    Returns
    -------
    str

    Raises
    ------
    InvalidInput
        Colours, labels or names that are not as many as what they are for, and all that `add_annotation_layer` and
        `add_skeleton_layer` refuse.
    InvalidId
    SourceError
    """
    made = _own_scene(scene, layout, dataset)
    _select(made, _ids(segments), _ids(invis_segs), seg_groups, seg_colors)
    if coords is not None:
        made["position"] = _position(made, coords, dataset)
    for name, values in _named(annotations).items():
        annotate(made, values, name, dataset=dataset)
    _draw(made, skeletons, skeleton_names, dataset)
    return scene_to_url(made, base_neuroglancer, shorten, open, to_clipboard, dataset=dataset)


def neurons_to_url(
    neurons: Any, include_skeleton: bool = True, downsample: int | None = None, **kwargs: Any
) -> pd.DataFrame:
    """Make a link for each of many neurons.

    Parameters
    ----------
    neurons : navis.NeuronList or neuron
        They count by their `root_id` if they have one, else by their `id`.
    include_skeleton : bool, default True
        Add each neuron's skeleton to its scene.
    downsample : int, optional
        Factor by which skeletons lose nodes before, above 1; roots, branches and ends stay.
    **kwargs
        For `encode_url`.

    Returns
    -------
    pandas.DataFrame
        Columns id (int64), name (str), url (str); one row per neuron, in input order.

    Raises
    ------
    InvalidInput
        Something is no neuron, or one has no skeleton to include; an argument that each neuron has its own of; a factor
        that is none.
    InvalidId
    """
    import pandas as pd

    own = {"segments", "skeletons"} & kwargs.keys()
    if own:
        raise InvalidInput(f"{min(own)} is each neuron's own", value=min(own), hint="call encode_url for one scene")
    found = _neurons(neurons)
    _check_factor(downsample)
    ids = [root_ids_of(getattr(neuron, "root_id", neuron.id)).tolist()[0] for neuron in found]
    scene = _own_scene(kwargs.pop("scene", None), kwargs.get("layout", "xy-3d"), kwargs.get("dataset"))
    urls = [
        encode_url(root, skeletons=_thinned(neuron, downsample) if include_skeleton else None, scene=scene, **kwargs)
        for root, neuron in zip(ids, found, strict=True)
    ]
    names = [str(neuron.name or root) for root, neuron in zip(ids, found, strict=True)]
    found_types = {"id": "int64", "name": "object", "url": "object"}
    return pd.DataFrame({"id": ids, "name": names, "url": urls}).astype(found_types)


def _neurons(given: Any) -> list[Any]:
    import navis

    found = list(given) if isinstance(given, navis.NeuronList | list | tuple) else [given]
    for one in found:
        if not isinstance(one, navis.BaseNeuron):
            kind, hint = type(one).__name__, "give navis neurons; encode_url takes ids"
            raise WrongType(f"{kind} is no neuron", value=kind, hint=hint)
    return found


def _check_factor(factor: Any) -> None:
    if factor is not None and not (is_finite(factor) and factor > 1):
        raise InvalidInput(f"downsample is {factor!r}", value=repr(factor), hint="a number above 1")


def _own_scene(scene: Mapping[str, Any] | str | None, layout: str, dataset: str | Dataset | None) -> Scene:
    if scene is None:
        return construct_scene(layout=layout, dataset=dataset)
    copied = own_copy(decode_url(scene, dataset=dataset) if isinstance(scene, str) else scene)
    set_layout(copied, layout)
    return copied


def _ids(neurons: Any) -> list[int]:
    return [] if neurons is None else root_ids_of(neurons).tolist()


def _select(scene: Scene, ids: list[int], hidden: list[int], groups: Any, colors: Any) -> None:
    if not ids and not hidden and groups is None and colors is None:
        return
    layer = find_segmentation(scene)
    targets = ids or [int(id_of(segment)) for segment in listed(layer)]
    shades = {} if colors is None else colors_of(targets, colors)
    grouped = {} if groups is None else groups_of(ids, groups)
    members = {root_id for group in grouped.values() for root_id in group}
    add_groups(scene, layer, grouped, shades)
    show(layer, [root_id for root_id in ids if root_id not in members])
    hide(layer, hidden)
    color(layer, {root_id: shade for root_id, shade in shades.items() if root_id not in members})


def _position(scene: Scene, coords: Any, dataset: str | Dataset | None) -> list[int]:
    """Return the middle of the view in the scene's voxels, which need not be the dataset's."""
    import numpy as np

    try:
        place = np.asarray(coords, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise InvalidInput(f"{coords!r} is no position", value=repr(coords)[:200], hint="give [x, y, z]") from error
    if place.shape != _AXES or not np.isfinite(place).all():
        raise InvalidInput(f"{coords!r} is no position", value=repr(coords)[:200], hint="give [x, y, z]")
    given = np.asarray(resolution_of(scene, dataset))
    return [int(value) for value in np.rint(place * given / (scene_resolution(scene) or given))]


def _named(annotations: Any) -> dict[str, Any]:
    if annotations is None:
        return {}
    if isinstance(annotations, Mapping):
        return {str(name): values for name, values in annotations.items()}
    return {"annotations": annotations}


def _draw(scene: Scene, skeletons: Any, names: str | Sequence[str] | None, dataset: str | Dataset | None) -> None:
    if skeletons is None and names is not None:
        raise InvalidInput("there are names for skeletons, and no skeletons", value=repr(names)[:100])
    found = [] if skeletons is None else skeletons_of(skeletons)
    for skeleton, name in zip(found, _names(found, names), strict=True):
        draw(scene, skeleton, name, dataset)


def _names(skeletons: list[Any], names: str | Sequence[str] | None) -> list[str]:
    if names is None:
        return [name_of(skeleton) for skeleton in skeletons]
    if not isinstance(names, str) and not (is_many(names) and hasattr(names, "__len__")):
        raise InvalidInput(f"{names!r} is no name", value=repr(names)[:100], hint="give one for each, or one for all")
    if isinstance(names, str):
        return [names] * len(skeletons)
    if len(names) != len(skeletons):
        message = f"there are {len(names)} names for {len(skeletons)} skeletons"
        raise InvalidInput(message, value=len(names), hint="give one for each, or one for all")
    return list(names)


def _thinned(neuron: Any, factor: int | None) -> Any:
    import navis

    if not isinstance(neuron, navis.TreeNeuron):
        hint = "leave it out with include_skeleton=False"
        raise InvalidInput(f"neuron {neuron.id} has no skeleton", value=str(neuron.id), hint=hint)
    return neuron if factor is None else navis.downsample_neuron(neuron, factor, inplace=False)
