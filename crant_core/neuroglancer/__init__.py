"""Neuroglancer's scenes: made from a dataset and what people want to see in it, and read from links."""

from __future__ import annotations

from crant_core.neuroglancer.annotations import add_annotation_layer
from crant_core.neuroglancer.encoding import encode_url, neurons_to_url
from crant_core.neuroglancer.links import scene_to_url
from crant_core.neuroglancer.reading import decode_url
from crant_core.neuroglancer.scenes import construct_scene
from crant_core.neuroglancer.skeletons import add_skeleton_layer

__all__ = [
    "add_annotation_layer",
    "add_skeleton_layer",
    "construct_scene",
    "decode_url",
    "encode_url",
    "neurons_to_url",
    "scene_to_url",
]
