"""The neuropils of a dataset, ready to be asked which of them contain a synapse."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from crant_core.neuropils import prepare
from crant_core.neuropils.meshes import load_all_neuropil_meshes, load_neuropil_meshes
from crant_core.settings import library_settings
from crant_core.synapses.in_mesh import within_boxes

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from crant_core.datasets import Dataset
    from crant_core.kinds.base import Context
    from crant_core.kinds.neuropil_matrices.spec import NeuropilMatricesOptions
    from crant_core.neuropils import Neuropils
    from crant_core.neuropils.containment import Containment


@dataclass(frozen=True, slots=True)
class Places:
    """Knows the neuropils of places whose unit is known, so that it warns of none."""

    neuropils: Neuropils
    absent: tuple[str, ...] = ()  #: CRANT's neuropils that all of the dataset's do not include

    @property
    def names(self) -> tuple[str, ...]:
        """Of the neuropils."""
        return self.neuropils.names

    def find(self, points: NDArray[np.float64], /) -> Containment:
        """Find the neuropils of each place, (n, 3) in nm."""
        return within_boxes(self.neuropils, points)


def places_for(context: Context, options: NeuropilMatricesOptions) -> Places:
    """Load the neuropils of a job; see `places_of`."""
    names = None if options.neuropils is None else tuple(options.neuropils)
    return places_of(context.source.dataset, names)


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
    if names is None:
        meshes, absent = load_all_neuropil_meshes(dataset)
    else:
        meshes, absent = load_neuropil_meshes(dict.fromkeys(names), dataset), ()
    return Places(prepare(meshes, library_settings().cache_folder), absent)
