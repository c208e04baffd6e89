"""Which neuropils contain a point: what the matrices need of `crant_core.neuropils`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from crant_core.datasets import Dataset


class Pairs(Protocol):
    """Points and the neuropils that contain them; `crant_core.neuropils.Containment` is one.

    It may have `open_meshes`, names of neuropils whose mesh does not close; they are handed on.
    """

    @property
    def names(self) -> tuple[str, ...]:
        """Of the neuropils."""
        ...

    @property
    def point(self) -> NDArray[np.int64]:
        """Rows of points, (k,); once for every neuropil that contains it."""
        ...

    @property
    def mesh(self) -> NDArray[np.int32]:
        """Those neuropils, (k,), as numbers along `names`."""
        ...


class Membership(Protocol):
    """Knows which neuropils contain a point; `crant_core.neuropils.Neuropils` does."""

    @property
    def names(self) -> tuple[str, ...]:
        """Of the neuropils."""
        ...

    def find(self, points: NDArray[np.float64], /) -> Pairs:
        """Find the neuropils of each point, (n, 3) in nm; a point may be in several, or in none."""
        ...


@dataclass(frozen=True, eq=False, slots=True)
class _Found:
    names: tuple[str, ...]
    point: NDArray[np.int64]
    mesh: NDArray[np.int32]
    open_meshes: tuple[str, ...]


@dataclass(frozen=True, eq=False, slots=True)
class Some:
    """A few of the neuropils that another knows.

    Attributes
    ----------
    of : Membership
    names : tuple of str
    """

    of: Membership
    names: tuple[str, ...]

    def find(self, points: NDArray[np.float64], /) -> Pairs:
        """Find the neuropils of each point among these."""
        found = self.of.find(points)
        number = {name: place for place, name in enumerate(self.names)}
        renumbered = np.array([number.get(name, -1) for name in found.names], dtype=np.int32)
        mesh = renumbered[found.mesh]
        unclosed = tuple(name for name in getattr(found, "open_meshes", ()) if name in self.names)
        return _Found(self.names, found.point[mesh >= 0], mesh[mesh >= 0], unclosed)


def chosen(membership: Membership | None, names: Sequence[str] | None, dataset: str | Dataset | None) -> Membership:
    """Return what knows the named neuropils: a part of what is given, or the dataset's meshes.

    Parameters
    ----------
    membership : Membership or None
        None: meshes of the dataset are loaded and prepared; what is prepared is kept in the cache folder.
    names : sequence of str or None
        None: all that there are; which of CRANT's the dataset lacks is logged.
    dataset : str, Dataset or None

    Raises
    ------
    NoMatchesError
        A name is unknown; with the nearest names.
    """
    asked = None if names is None else tuple(dict.fromkeys([names] if isinstance(names, str) else names))
    if membership is None:
        return _loaded(asked, dataset)
    if asked is None or asked == tuple(membership.names):
        return membership
    _check(asked, membership.names)
    return Some(membership, asked)


def _check(asked: Sequence[str], known: Sequence[str]) -> None:
    from crant_core.neuropils.names import unknown

    for name in asked:
        if name not in known:
            raise unknown(name, list(known))


def _loaded(names: Sequence[str] | None, dataset: str | Dataset | None) -> Membership:
    from crant_core.neuropils import prepare
    from crant_core.neuropils.meshes import load_all_neuropil_meshes, load_neuropil_meshes
    from crant_core.settings import LibrarySettings

    meshes = load_all_neuropil_meshes(dataset)[0] if names is None else load_neuropil_meshes(names, dataset)
    return prepare(meshes, LibrarySettings().cache_folder)
