"""The layers a dataset has, as Neuroglancer's JSON, and how to find one in a scene."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from crant_core.access import source_of
from crant_core.datasets import Dataset
from crant_core.errors import InvalidInput
from crant_core.viewing.images import image_source_of

IMAGE, SEGMENTATION, BRAIN = "aligned", "proofreadable seg", "brain mesh"
NEUROPILS, GLOMERULI = "neuropil mesh", "al glomeruli"
BASE_SEGMENTATION, NUCLEI = "merge-biased seg", "nuclei"

_SURFACES = (BRAIN, NEUROPILS, GLOMERULI)
_MESH_SUFFIX = "#type=mesh"
_GRAPHENE, _AUTH = "graphene://", "middleauth+"
_MARK = "proofreadable"

Layer = dict[str, Any]


def image(dataset: Dataset) -> Layer:
    """Return the layer of images."""
    return {"type": "image", "source": image_source_of(dataset), "name": IMAGE}


def segmentation(dataset: Dataset) -> Layer:
    """Return the layer of neurons, none of which is selected."""
    return {
        "type": "segmentation",
        "source": {
            "url": _for_viewer(dataset.segmentation_source or source_of(dataset).segmentation_source()),
            "subsources": {"default": True, "graph": True, "bounds": True, "mesh": True},
            "enableDefaultSubsources": False,
            "state": {"multicut": {"sinks": [], "sources": []}, "merge": {"merges": []}, "findPath": {}},
        },
        "tab": "source",
        "segments": [],
        "colorSeed": 1212430833,
        "name": SEGMENTATION,
    }


def brain(dataset: Dataset) -> Layer | None:
    """Return the layer of the brain's surface; None if there is none."""
    found = _surfaces(BRAIN, dataset.brain_mesh_source, ("1",), 0.11)
    return found and found | {"segmentQuery": "1"}


def neuropils(dataset: Dataset) -> Layer | None:
    """Return the layer of neuropils; None if there is none."""
    return _surfaces(NEUROPILS, dataset.neuropil_source, tuple(map(str, dataset.neuropil_segments)), 0.2)


def glomeruli(dataset: Dataset) -> Layer | None:
    """Return the layer of glomeruli; None if there is none."""
    return _surfaces(GLOMERULI, dataset.glomeruli_source, (), 0.2)


def base_segmentation(dataset: Dataset) -> Layer | None:
    """Return the hidden layer of the segmentation before edits; None if there is none."""
    look = {"tab": "source", "meshRenderScale": 0.3118, "colorSeed": 2474154087}
    return _hidden(BASE_SEGMENTATION, dataset.base_segmentation_source, look)


def nuclei(dataset: Dataset) -> Layer | None:
    """Return the hidden layer of nuclei; None if there is none."""
    return _hidden(NUCLEI, dataset.nucleus_source, {"tab": "source"})


def _surfaces(name: str, source: str | None, segments: tuple[str, ...], opacity: float) -> Layer | None:
    if source is None:
        return None
    look = {"objectAlpha": opacity, "hoverHighlight": False}
    return {"type": "segmentation", "source": source, "tab": "source", **look, "segments": [*segments], "name": name}


def _hidden(name: str, source: str | None, look: Mapping[str, Any]) -> Layer | None:
    if source is None:
        return None
    return {"type": "segmentation", "source": source, **look, "segments": [], "name": name, "visible": False}


def _for_viewer(path: str) -> str:
    """Say in a graphene address that it needs CAVE's sign-in, as Neuroglancer wants to know."""
    rest = path.removeprefix(_GRAPHENE)
    return path if rest == path or rest.startswith(_AUTH) else f"{_GRAPHENE}{_AUTH}{rest}"


def layers_of(scene: Mapping[str, Any]) -> list[Layer]:
    """Return a scene's layers, not copied.

    Raises
    ------
    InvalidInput
        It has something else in their place.
    """
    layers = scene.get("layers", [])
    if not isinstance(layers, list) or not all(isinstance(layer, dict) for layer in layers):
        raise InvalidInput("the scene's layers are no list of objects", value=repr(layers)[:200])
    return layers


def unique_name(scene: Mapping[str, Any], name: str) -> str:
    """Return the name, with a number if a layer has it: Neuroglancer tells layers apart by their names."""
    taken = {layer.get("name") for layer in layers_of(scene)}
    names = (name, *(f"{name} {number}" for number in range(2, len(taken) + 2)))
    return next(candidate for candidate in names if candidate not in taken)


def is_of_neurons(layer: Mapping[str, Any]) -> bool:
    """Say whether a layer's segments are neurons, and not surfaces such as the brain's."""
    kind = str(layer.get("type", ""))
    surface = layer.get("name") in _SURFACES or any(url.endswith(_MESH_SUFFIX) for url in _urls(layer))
    return kind.startswith("segmentation") and not surface


def find_segmentation(scene: Mapping[str, Any]) -> Layer:
    """Return a scene's layer of neurons, not copied.

    It is the first one with "proofreadable" in its name, else the first one on a chunkedgraph, else the only one.

    Raises
    ------
    InvalidInput
        There is none, or one of several.
    """
    found = [layer for layer in layers_of(scene) if is_of_neurons(layer)]
    named = [layer for layer in found if _MARK in str(layer.get("name", "")).lower()]
    edited = [layer for layer in found if any(url.startswith(_GRAPHENE) for url in _urls(layer))]
    for chosen in (named, edited, found if len(found) == 1 else []):
        if chosen:
            return chosen[0]
    names = ", ".join(str(layer.get("name")) for layer in layers_of(scene)) or "none"
    hint = f'its layers: {names}; give the one you mean a name with "{_MARK}" in it'
    raise InvalidInput("it is not clear which layer of the scene has the neurons", value=names, hint=hint)


def _urls(layer: Mapping[str, Any]) -> list[str]:
    source = layer.get("source", [])
    sources = source if isinstance(source, list) else [source]
    return [str(one.get("url", "")) if isinstance(one, Mapping) else str(one) for one in sources]
