"""Neurons by what people say about them: criteria, and annotations at one point in time."""

from __future__ import annotations

from crant_core.neurons.criteria import NeuronCriteria
from crant_core.neurons.queries import (
    get_all_seatable_annotations,
    get_annotations,
    get_proofread_neurons,
    is_proofread,
)

__all__ = [
    "NeuronCriteria",
    "get_all_seatable_annotations",
    "get_annotations",
    "get_proofread_neurons",
    "is_proofread",
]
