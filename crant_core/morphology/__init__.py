"""Skeletons of neurons by root id: made from meshes or L2 chunks, or fetched; saved, checked, measured."""

from __future__ import annotations

from crant_core.morphology.fetching import get_skeletons
from crant_core.morphology.neurons import skeletonize_neuron
from crant_core.morphology.parallel import skeletonize_neurons_parallel
from crant_core.morphology.treeneurons import neuron_of, skeleton_and_ids, skeleton_of
from crant_core.morphology.twigs import remove_soma_hairball, shave_skeleton

__all__ = [
    "get_skeletons",
    "neuron_of",
    "remove_soma_hairball",
    "shave_skeleton",
    "skeleton_and_ids",
    "skeleton_of",
    "skeletonize_neuron",
    "skeletonize_neurons_parallel",
]
