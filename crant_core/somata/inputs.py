"""What people have as surfaces and skeletons, as arrays in nm."""

from __future__ import annotations

from typing import Any

import numpy as np

from crant_core.errors import InvalidInput, WrongType
from crant_core.mesh import Mesh

_HINT = "give a crant_core.Mesh, a trimesh.Trimesh or a navis.MeshNeuron"


def is_mesh(value: Any) -> bool:
    """Say whether something is a surface: it has vertices and faces."""
    return hasattr(value, "vertices") and hasattr(value, "faces")


def mesh_of(value: Any) -> Mesh:
    """Return a surface as arrays; vertices keep their numbers.

    Raises
    ------
    WrongType
        It is none.
    InvalidInput
        It is not in nm.
    """
    if isinstance(value, Mesh):
        return value
    if not is_mesh(value):
        raise WrongType(f"{type(value).__name__} is no mesh", value=type(value).__name__, hint=_HINT)
    check_nm(value)
    vertices = np.asarray(value.vertices, dtype=np.float64).reshape(-1, 3)
    return Mesh(vertices, np.asarray(value.faces, dtype=np.int64).reshape(-1, 3))


def check_nm(neuron: Any) -> None:
    """Refuse neurons that say that they are in another unit than nm.

    Raises
    ------
    InvalidInput
    """
    units = getattr(neuron, "units", None)
    if units is None or isinstance(units, str) or getattr(units, "dimensionless", True):
        return
    if not np.allclose(np.asarray(units.to("nm").magnitude, dtype=np.float64), 1.0):
        hint = 'convert it before, such as with neuron.convert_units("nm")'
        raise InvalidInput(f"neuron {neuron.id} is in units of {units}, not nm", value=str(units), hint=hint)


def skeletons_of(neurons: Any) -> list[Any]:
    """Return the skeletons of a NeuronList, or one as a list.

    Raises
    ------
    WrongType
        One of them is no navis.TreeNeuron.
    InvalidInput
        One is not in nm, or has no table of nodes.
    """
    import navis

    listed = list(neurons) if isinstance(neurons, navis.NeuronList | list | tuple) else [neurons]
    for one in listed:
        if not isinstance(one, navis.TreeNeuron):
            kind, hint = type(one).__name__, "give a navis.TreeNeuron, or a NeuronList of them"
            raise WrongType(f"{kind} is no skeleton", value=kind, hint=hint)
        if getattr(one, "nodes", None) is None:  # as navis.TreeNeuron(None) is
            raise InvalidInput(f"neuron {one.id} has no table of nodes", value=str(one.id), hint="leave it out")
        check_nm(one)
    return listed
