"""Scenes: what Neuroglancer shows, as a dict that is its JSON."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from decimal import Decimal
from typing import Any

from crant_core.datasets import Dataset
from crant_core.errors import InvalidInput
from crant_core.neuroglancer import layers
from crant_core.neuroglancer.layers import Layer
from crant_core.registry import dataset_of

Scene = dict[str, Any]
Resolution = tuple[float, float, float]

_AXES = ("x", "y", "z")
_LAYOUTS = ("xy", "yz", "xz", "xy-3d", "yz-3d", "xz-3d", "4panel", "4panel-alt", "3d")
_NM = {"m": 1e9, "mm": 1e6, "um": 1e3, "µm": 1e3, "nm": 1.0}
_DIGITS = 6  # of a nm


def construct_scene(
    *,
    image: bool = True,
    segmentation: bool = True,
    brain_mesh: bool = True,
    neuropil_mesh: bool = True,
    al_glomeruli: bool = False,
    merge_biased_seg: bool = False,
    nuclei: bool = False,
    base_neuroglancer: bool = False,
    layout: str = "xy-3d",
    dataset: str | Dataset | None = None,
) -> Scene:
    """Make a scene of a dataset.

    Layers that are on by default are left out where a dataset has nothing to show in them; those that are switched on
    are an error there. Where the dataset does not say where its images and segmentation are, CAVE is asked:
    `GET /info/api/v2/datastack/full/{datastack}`. The preset datasets of CRANT need no request and no token.

    Parameters
    ----------
    image : bool, default True
        The aligned electron microscopy.
    segmentation : bool, default True
        The segmentation that is proofread.
    brain_mesh, neuropil_mesh : bool, default True
        Surfaces of the brain and of its neuropils.
    al_glomeruli : bool, default False
        Surfaces of the antennal lobes' glomeruli.
    merge_biased_seg, nuclei : bool, default False
        The segmentation before edits, and that of nuclei; the layers are there, but hidden.
    base_neuroglancer : bool, default False
        Has no effect: Neuroglancer and CAVE's Spelunker read the same scenes.
    layout : str, default "xy-3d"
        "3d", "xy-3d", "xy", "4panel", or another one of Neuroglancer's.
    dataset : str or Dataset, optional
        Left out, the default dataset.

    Returns
    -------
    dict
        The scene, the caller's own. Positions in it are voxels of the dataset's viewer.

    Raises
    ------
    InvalidInput
        The dataset has no such layer, or Neuroglancer no such layout.
    UnknownDataset
    SourceError
    """
    mine = dataset_of(dataset)
    scene: Scene = {"dimensions": dimensions(mine.viewer_resolution), **_start(mine), "layers": []}
    wanted = (
        layers.image(mine) if image else None,
        layers.segmentation(mine) if segmentation else None,
        layers.brain(mine) if brain_mesh else None,
        layers.neuropils(mine) if neuropil_mesh else None,
        _needed(layers.glomeruli(mine), layers.GLOMERULI, mine) if al_glomeruli else None,
        _needed(layers.base_segmentation(mine), layers.BASE_SEGMENTATION, mine) if merge_biased_seg else None,
        _needed(layers.nuclei(mine), layers.NUCLEI, mine) if nuclei else None,
    )
    scene["layers"] = [layer for layer in wanted if layer is not None]
    scene["showSlices"] = False
    if segmentation:
        scene["selectedLayer"] = {"visible": True, "layer": layers.SEGMENTATION}
    set_layout(scene, layout)
    return scene


def _needed(layer: Layer | None, name: str, dataset: Dataset) -> Layer:
    if layer is None:
        hint = "leave it out, or add its source to the dataset"
        raise InvalidInput(f"dataset {dataset.name} has nothing for the layer {name!r}", value=name, hint=hint)
    return layer


def _start(dataset: Dataset) -> Scene:
    start = dataset.viewer_start
    if start is None:
        return {}
    return {
        "position": list(start.position),
        "crossSectionScale": start.section_scale,
        "projectionScale": start.projection_scale,
        "projectionDepth": start.projection_depth,
    }


def set_layout(scene: Scene, layout: str) -> None:
    """Change how a scene is laid out, in place.

    Raises
    ------
    InvalidInput
    """
    if layout not in _LAYOUTS:
        raise InvalidInput(f"layout={layout!r} is not known", value=layout, hint=f"use one of {', '.join(_LAYOUTS)}")
    scene["layout"] = {"type": layout, "orthographicProjection": True}


def own_copy(scene: Any) -> Scene:
    """Return a copy of somebody's scene, so that theirs stays as it is.

    Raises
    ------
    InvalidInput
        It is no scene.
    """
    check_scene(scene)
    return deepcopy(dict(scene))


def check_scene(scene: Any) -> None:
    """Refuse what is no scene.

    Raises
    ------
    InvalidInput
    """
    if not isinstance(scene, Mapping):
        hint = "give the dict that construct_scene or decode_url returns"
        raise InvalidInput(f"{type(scene).__name__} is no scene", value=type(scene).__name__, hint=hint)
    layers.layers_of(scene)


def add_layer(scene: Scene, layer: Layer) -> Layer:
    """Add a layer to a scene, in place, under a name that no other one has."""
    named = layer | {"name": layers.unique_name(scene, str(layer["name"]))}
    scene["layers"] = [*layers.layers_of(scene), named]
    return named


def dimensions(resolution: Resolution) -> dict[str, list[Any]]:
    """Return the size of a voxel as Neuroglancer writes it: 8 nm is `[8e-09, "m"]`."""
    return {axis: [float(Decimal(str(nm)).scaleb(-9)), "m"] for axis, nm in zip(_AXES, resolution, strict=True)}


def resolution_of(scene: Mapping[str, Any], dataset: str | Dataset | None) -> Resolution:
    """Return the size of the voxels, nm, that positions are in: the named dataset's, else the scene's own."""
    own = scene_resolution(scene)
    return own if dataset is None and own is not None else dataset_of(dataset).viewer_resolution


def scene_resolution(scene: Mapping[str, Any]) -> Resolution | None:
    """Return the size of a scene's voxels, nm; None if it does not say."""
    found = scene.get("dimensions")
    if not isinstance(found, Mapping) or any(axis not in found for axis in _AXES):
        return None
    try:
        x, y, z = (round(float(found[axis][0]) * _NM[found[axis][1]], _DIGITS) for axis in _AXES)
    except (KeyError, IndexError, TypeError, ValueError) as error:
        raise InvalidInput("the scene's dimensions cannot be read", value=repr(found)[:200]) from error
    return x, y, z
