"""Surfaces as people have them."""

from __future__ import annotations

from typing import Any

import numpy as np

from crant_core.errors import WrongType
from crant_core.mesh import Mesh


def in_nm(mesh: Any) -> Mesh:
    """Return a surface as arrays in nm; the unit of a navis.MeshNeuron is converted.

    Raises
    ------
    WrongType
        It is none.
    """
    if isinstance(mesh, Mesh):
        return mesh
    if not (hasattr(mesh, "vertices") and hasattr(mesh, "faces")):
        kind, hint = type(mesh).__name__, "give a crant_core.Mesh, a trimesh.Trimesh or a navis.MeshNeuron"
        raise WrongType(f"{kind} is no mesh", value=kind, hint=hint)
    units: Any = getattr(mesh, "units", None)
    is_known = units is not None and not isinstance(units, str) and not getattr(units, "dimensionless", True)
    scale = np.asarray(units.to("nm").magnitude, dtype=np.float64) if is_known else 1.0
    vertices = np.asarray(mesh.vertices, dtype=np.float64).reshape(-1, 3) * scale
    return Mesh(vertices, np.asarray(mesh.faces, dtype=np.int64).reshape(-1, 3))
