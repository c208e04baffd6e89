"""Matrices by neuropil."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

from crant_core.errors import NoMatchesError, WrongType
from crant_core.matrices.picture import is_folder
from crant_core.matrices.reading import many

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


@dataclass(frozen=True, slots=True)
class Selector:
    """Neuropils of a collection: all but some.

    Attributes
    ----------
    without : tuple of str
    """

    without: tuple[str, ...] = ()

    def minus(self, *names: str | Iterable[str]) -> Selector:
        """Leave out neuropils, too."""
        return Selector((*self.without, *(name for some in names for name in many(some))))

    def of(self, names: Sequence[str]) -> list[str]:
        """Return the names that are left.

        Raises
        ------
        NoMatchesError
            One to be left out is not there.
        """
        for name in self.without:
            if name not in names:
                raise unknown_neuropil(name, names)
        return [name for name in names if name not in self.without]


All = Selector()  #: every neuropil of a collection; `All.minus("fan_shaped_body")` leaves one out


class NeuropilCollection(dict[str, Any]):
    """Nested matrices by the name of a neuropil, which is an attribute, too: `collection.ellipsoid_body`.

    Parameters
    ----------
    matrices : mapping of str to matrix, optional
    open_neuropils : sequence of str
        Neuropils whose mesh does not close even after repair: which synapses are in those is a judgement and not a
        fact.
    """

    open_neuropils: tuple[str, ...]

    def __init__(self, matrices: Mapping[str, Any] | None = None, *, open_neuropils: Sequence[str] = ()) -> None:
        super().__init__(matrices or {})
        self.open_neuropils = tuple(open_neuropils)

    def __getattr__(self, name: str) -> Any:
        if name in self:
            return self[name]
        raise AttributeError(f"the collection has no neuropil {name!r}; it has: {', '.join(self) or 'none'}")

    def __dir__(self) -> list[str]:
        return [*super().__dir__(), *self]

    def copy(self) -> NeuropilCollection:
        """Return another collection of the same matrices."""
        return NeuropilCollection(self, open_neuropils=self.open_neuropils)

    def __copy__(self) -> NeuropilCollection:
        return self.copy()

    def plot(
        self, name: str | Sequence[str] | Selector, **kwargs: Any
    ) -> tuple[Figure, Axes] | dict[str, tuple[Figure, Axes]]:
        """Draw one matrix, or several.

        Parameters
        ----------
        name : str, sequence of str, or Selector
            A neuropil, several, `All`, or `All.minus(...)`; `crant_core.All`.
        **kwargs
            Given to each matrix' `plot`. Of several matrices each is saved under `output_path` with its name before
            the suffix: `cx.png` becomes `cx_ellipsoid_body.png`. In a folder, which ends with a slash or is there,
            they are `ellipsoid_body.png` and so on.

        Returns
        -------
        (Figure, Axes), or dict of str to (Figure, Axes)

        Raises
        ------
        NoMatchesError
            The collection has no such neuropil.
        WrongType
            `name` is none of these.
        """
        if isinstance(name, str):
            found: tuple[Figure, Axes] = self._matrix(name).plot(**_in_folder(name, kwargs))
            return found
        chosen = name.of(list(self)) if isinstance(name, Selector) else _names(name)
        matrices = {one: self._matrix(one) for one in chosen}
        return {one: matrix.plot(**_own_path(one, kwargs)) for one, matrix in matrices.items()}

    def _matrix(self, name: str) -> Any:
        if name not in self:
            raise unknown_neuropil(name, list(self))
        return self[name]

    def to_parquet(self, path: str | PathLike[str]) -> Path:
        """Write all matrices into one file, with a column `neuropil`; see `from_parquet`."""
        from crant_core.matrices import parquet

        return parquet.write_collection(self, path)

    @classmethod
    def from_parquet(cls, path: str | PathLike[str]) -> NeuropilCollection:
        """Read what `to_parquet` wrote.

        Raises
        ------
        InvalidInput
            The file is none of these, or was written by a later version.
        """
        from crant_core.matrices import parquet

        return parquet.read_collection(path)


def unknown_neuropil(name: object, known: Sequence[str]) -> NoMatchesError:
    """Return the error for a neuropil that a collection does not have."""
    hint = f"it has: {', '.join(known) or 'none'}"
    return NoMatchesError(f"the collection has no neuropil {name!r}", value=name, hint=hint)


def _names(given: Any) -> list[str]:
    names = list(given) if isinstance(given, Iterable) else [given]
    if not all(isinstance(one, str) for one in names):
        hint = "give the name of a neuropil, a list of names, All, or All.minus(...)"
        raise WrongType(f"{given!r} names no neuropil", value=given, hint=hint)
    return names


def _own_path(name: str, kwargs: dict[str, Any]) -> dict[str, Any]:
    path = kwargs.get("output_path")
    if path is None or is_folder(path):
        return _in_folder(name, kwargs)
    return kwargs | {"output_path": Path(path).with_name(f"{Path(path).stem}_{name}{Path(path).suffix}")}


def _in_folder(name: str, kwargs: dict[str, Any]) -> dict[str, Any]:
    path = kwargs.get("output_path")
    return kwargs if path is None or not is_folder(path) else kwargs | {"output_path": Path(path) / f"{name}.png"}
