"""Surfaces of neurons: whole, welded, in nm."""

from __future__ import annotations

from crant_core.meshes.neurons import get_mesh_neuron

__all__ = ["get_mesh_neuron"]
