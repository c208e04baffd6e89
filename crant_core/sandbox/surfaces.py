"""The neurons' surfaces, read from the installed navis package without importing it (that takes seconds)."""

from __future__ import annotations

from functools import cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from crant_core.errors import StackError
from crant_core.mesh import Mesh

_NM_PER_UNIT = 8.0  # hemibrain voxels; a power of two, so float32 positions stay exact


@cache
def data_folder() -> Path:
    """Find navis' folder of example data.

    Raises
    ------
    StackError
        navis is not installed.
    """
    spec = find_spec("navis")
    if spec is None or not spec.submodule_search_locations:
        raise StackError("the sandbox's neurons come with navis, which is not installed", hint="pip install navis")
    return Path(spec.submodule_search_locations[0]) / "data"


@cache
def read_surface(body_id: int) -> Mesh:
    """Read one neuron's surface.

    Parameters
    ----------
    body_id : int
        Hemibrain body id, the name of the file.

    Returns
    -------
    Mesh
        Vertices in nm.
    """
    lines = (data_folder() / "obj" / f"{body_id}.obj").read_text(encoding="ascii").splitlines()
    vertices = _columns(lines, "v ").astype(np.float64) * _NM_PER_UNIT
    return Mesh(vertices=vertices, faces=_columns(lines, "f ").astype(np.int64) - 1)


def _columns(lines: list[str], prefix: str) -> NDArray[np.str_]:
    return np.array([line.split()[1:4] for line in lines if line.startswith(prefix)])


def encode_fragment(mesh: Mesh) -> bytes:
    """Write neuroglancer's legacy mesh format: uint32 count, float32 positions, uint32 triangles, little-endian.

    Unlike Draco it quantizes nothing: these float32 positions arrive exactly as they are stored.
    """
    count = np.array([len(mesh.vertices)], dtype="<u4")
    return count.tobytes() + mesh.vertices.astype("<f4").tobytes() + mesh.faces.astype("<u4").tobytes()
