"""The neuropils of a dataset, ready to be asked which of them contain a synapse."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from crant_core.errors import MeshNotFound, NoMatchesError
from crant_core.neuropils import NEUROPIL_MESH_DICT, prepare
from crant_core.neuropils.meshes import load_neuropil_meshes
from crant_core.settings import library_settings
from crant_core.synapses.in_mesh import within_boxes

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from crant_core.datasets import Dataset
    from crant_core.mesh import Mesh
    from crant_core.neuropils import Neuropils
    from crant_core.neuropils.containment import Containment


@dataclass(frozen=True, slots=True)
class Places:
    """Knows the neuropils of places whose unit is known, so that it warns of none."""

    neuropils: Neuropils

    @property
    def names(self) -> tuple[str, ...]:
        """Of the neuropils."""
        return self.neuropils.names

    def find(self, points: NDArray[np.float64], /) -> Containment:
        """Find the neuropils of each place, (n, 3) in nm."""
        return within_boxes(self.neuropils, points)


@lru_cache(maxsize=2)
def places_of(dataset: Dataset, names: tuple[str, ...] | None) -> Places:
    """Load the named neuropils, or all that the dataset has; kept, for the units of a job follow each other.

    Raises
    ------
    NoMatchesError
        No neuropil has one of these names, or the dataset has none at all.
    MeshNotFound
        The dataset's source lacks one that is named.
    InvalidInput
        The dataset has no source of neuropils.
    SourceError
    """
    meshes = _all(dataset) if names is None else load_neuropil_meshes(dict.fromkeys(names), dataset)
    return Places(prepare(meshes, library_settings().cache_folder))


def _all(dataset: Dataset) -> dict[str, Mesh]:
    """Load all neuropils: at once if the source has all of CRANT's, else one by one, for it does not list them."""
    known = list(NEUROPIL_MESH_DICT.values())
    try:
        return load_neuropil_meshes(known, dataset)
    except (MeshNotFound, NoMatchesError):
        found = {name: mesh for one in known for name, mesh in _if_there(one, dataset).items()}
    if not found:
        hint = "name those that it has"
        raise NoMatchesError(f"{dataset.name} has none of CRANT's neuropils", value=dataset.name, hint=hint)
    return found


def _if_there(name: str, dataset: Dataset) -> dict[str, Mesh]:
    try:
        return load_neuropil_meshes([name], dataset)
    except (MeshNotFound, NoMatchesError):
        return {}
