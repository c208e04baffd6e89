"""Skeletons of neurons by root id: made from meshes or L2 chunks, or fetched; saved, checked, measured."""

from __future__ import annotations

from crant_core.morphology.fetching import get_skeletons
from crant_core.morphology.neurons import skeletonize_neuron
from crant_core.morphology.parallel import skeletonize_neurons_parallel

__all__ = ["get_skeletons", "skeletonize_neuron", "skeletonize_neurons_parallel"]
