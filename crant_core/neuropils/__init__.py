"""Neuropils: their names, their meshes, and which of them contain a point.

`prepare` takes meshes and returns something that answers for millions of points at once, exactly.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from crant_core.cautions import WrongUnitWarning
    from crant_core.neuropils.containment import Containment
    from crant_core.neuropils.engine import Neuropils, prepare
    from crant_core.neuropils.meshes import load_neuropil_mesh
    from crant_core.neuropils.names import NEUROPIL_MESH_DICT, get_supported_neuropil_mesh_labels
    from crant_core.neuropils.repair import Repair, repair_mesh

_HOMES = {
    "Containment": "containment",
    "NEUROPIL_MESH_DICT": "names",
    "Neuropils": "engine",
    "Repair": "repair",
    "WrongUnitWarning": "engine",
    "get_supported_neuropil_mesh_labels": "names",
    "load_neuropil_mesh": "meshes",
    "prepare": "engine",
    "repair_mesh": "repair",
}

__all__ = [
    "NEUROPIL_MESH_DICT",
    "Containment",
    "Neuropils",
    "Repair",
    "WrongUnitWarning",
    "get_supported_neuropil_mesh_labels",
    "load_neuropil_mesh",
    "prepare",
    "repair_mesh",
]


def __getattr__(name: str) -> Any:
    """Load what is asked for when it is asked for: numpy and scipy are heavy."""
    from importlib import import_module

    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
