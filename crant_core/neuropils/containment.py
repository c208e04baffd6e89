"""The answer to the question which meshes contain which points."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from crant_core.errors import NoMatchesError
from crant_core.neuropils.repair import Repair


@dataclass(frozen=True, eq=False, slots=True)
class Containment:
    """Which meshes contain which points, as pairs.

    Attributes
    ----------
    names : tuple of str
        Of the meshes; `mesh` counts along it.
    count : int
        How many points were asked about.
    point : ndarray, shape (k,), int64
        Row of a point that is in a mesh, ascending; once for every mesh that contains it.
    mesh : ndarray, shape (k,), int32
        That mesh; of one point ascending.
    repairs : tuple of Repair
        What had to be done to each mesh.
    """

    names: tuple[str, ...]
    count: int
    point: NDArray[np.int64]
    mesh: NDArray[np.int32]
    repairs: tuple[Repair, ...]

    @property
    def open_meshes(self) -> tuple[str, ...]:
        """Names of meshes that do not close even after repair: of those, the pairs are a judgement and not a fact.

        A point is counted as in such a mesh if it winds around the point more than halfway.
        """
        return tuple(name for name, repair in zip(self.names, self.repairs, strict=True) if not repair.closed)

    @property
    def starts(self) -> NDArray[np.int64]:
        """Where each point's meshes begin in `mesh`, (count + 1,): a CSR matrix without its ones."""
        found: NDArray[np.int64] = np.searchsorted(self.point, np.arange(self.count + 1))
        return found

    @property
    def nowhere(self) -> NDArray[np.bool_]:
        """Which points are in no mesh, (count,)."""
        found = np.ones(self.count, dtype=np.bool_)
        found[self.point] = False
        return found

    def inside(self, name: str) -> NDArray[np.bool_]:
        """Return which points are in one mesh, (count,).

        Raises
        ------
        NoMatchesError
            There is no such mesh.
        """
        if name not in self.names:
            raise NoMatchesError(f"no mesh is called {name!r}", value=name, hint=f"there are: {', '.join(self.names)}")
        found = np.zeros(self.count, dtype=np.bool_)
        found[self.point[self.mesh == self.names.index(name)]] = True
        return found

    def table(self) -> NDArray[np.bool_]:
        """Return the whole answer as a table of points and meshes, (count, meshes); a byte for each."""
        found = np.zeros((self.count, len(self.names)), dtype=np.bool_)
        found[self.point, self.mesh] = True
        return found

    def counts(self) -> dict[str, int]:
        """Count the points in each mesh."""
        return dict(zip(self.names, np.bincount(self.mesh, minlength=len(self.names)).tolist(), strict=True))
