"""The five neurons and two volumes in the installed navis package, read without importing it (that takes seconds).

Hemibrain DA1 projection neurons (Scheffer et al. 2020). Files count in hemibrain voxels of 8 nm.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from crant_core.errors import StackError
from crant_core.mesh import Mesh
from crant_core.sandbox.world.morphology import Morphology, sorted_tree

BODY_IDS = (722817260, 754534424, 754538881, 1734350788, 1734350908)
_NM_PER_UNIT = 8.0  # a power of two, so float32 positions stay exact
_THINNEST = 60.0  # nm; thinner neurites would fall between voxels


@dataclass(frozen=True)
class Connectors:
    """One neuron's synaptic sites.

    Attributes
    ----------
    positions : (n, 3) float64
        In nm.
    is_pre : (n,) bool
        A T-bar (presynapse) or a density opposite one.
    regions : tuple of str
        The hemibrain region of each.
    """

    positions: NDArray[np.float64]
    is_pre: NDArray[np.bool_]
    regions: tuple[str, ...]


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
    """Read one neuron's surface, vertices in nm."""
    return _read_obj(data_folder() / "obj" / f"{body_id}.obj")


def read_volume(name: str) -> Mesh:
    """Read a volume, `lh` or `neuropil`, vertices in nm."""
    return _read_obj(data_folder() / "volumes" / f"{name}.obj")


def _read_obj(path: Path) -> Mesh:
    lines = path.read_text(encoding="ascii").splitlines()
    vertices = _columns(lines, "v ").astype(np.float64) * _NM_PER_UNIT
    return Mesh(vertices=vertices, faces=_columns(lines, "f ").astype(np.int64) - 1)


def _columns(lines: list[str], prefix: str) -> NDArray[np.str_]:
    return np.array([[part.split("/")[0] for part in line.split()[1:4]] for line in lines if line.startswith(prefix)])


def read_skeleton(body_id: int) -> Morphology:
    """Read one neuron's skeleton, in nm."""
    table = np.loadtxt(data_folder() / "swc" / f"{body_id}.swc")
    place = {int(node): index for index, node in enumerate(table[:, 0])}
    parents = np.array([place.get(int(parent), -1) for parent in table[:, 6]])
    radii = np.maximum(table[:, 5] * _NM_PER_UNIT, _THINNEST)
    return sorted_tree(table[:, 2:5] * _NM_PER_UNIT, radii, parents)


def read_connectors(body_id: int) -> Connectors:
    """Read one neuron's synaptic sites, in nm."""
    path = data_folder() / "synapses" / f"{body_id}.csv"
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    positions = np.array([[float(row[axis]) for axis in "xyz"] for row in rows]) * _NM_PER_UNIT
    is_pre = np.array([row["type"] == "pre" for row in rows])
    return Connectors(positions, is_pre, tuple(row["roi"] or "" for row in rows))
