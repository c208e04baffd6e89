"""Neurons described by what annotators say about them."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from copy import copy
from typing import TYPE_CHECKING, Any

import numpy as np

from crant_core.annotations.cells import FIELDS
from crant_core.annotations.filtering import fitting, near
from crant_core.annotations.table import copied, table_of
from crant_core.errors import FilteringError, InvalidId, NoMatchesError
from crant_core.ids import parse_id
from crant_core.neurons.rows import Neurons, asked_time, neurons_at
from crant_core.registry import dataset_of

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from crant_core.times import When

_log = logging.getLogger(__name__)


class NeuronCriteria:
    """Neurons that fit all of some criteria; functions about neurons take it where they take ids.

    Parameters
    ----------
    regex, case, match_all, exact : bool
        How values are compared, by default as whole texts without regard to capitals, any value of several; see
        `filter_df`.
    verbose : bool, default False
        Log how many annotations each criterion leaves, at level INFO.
    clear_cache : bool, default False
        Fetch annotations anew, once.
    update_ids : bool, default True
        Root ids are those that hold at the time. Otherwise they are as annotators wrote them, maybe outdated.
    dataset : str, optional
        Name or alias; left out, what is the default dataset now.
    timestamp, materialization : time, optional
        Any form of a time: `"mat"`, `7`, an ISO string, a datetime. Left out: live. At most one of them.
    **criteria
        Fields with the value, or the values, that an annotation must have; see `available_fields`. None at all means
        all annotated neurons.

    Attributes
    ----------
    criteria : dict
    dataset : str

    Raises
    ------
    FilteringError
        There is no such field; the message names the nearest.
    InvalidInput
    UnknownDataset

    Notes
    -----
    Nothing is fetched before it is needed. A criterion `root_id` is compared with what annotators wrote; to find
    annotations by any id of a neuron, there is `get_annotations`.
    """

    def __init__(
        self,
        *,
        regex: bool = False,
        case: bool = False,
        verbose: bool = False,
        clear_cache: bool = False,
        match_all: bool = False,
        exact: bool = True,
        update_ids: bool = True,
        dataset: Any = None,
        timestamp: Any = None,
        materialization: Any = None,
        **criteria: Any,
    ) -> None:
        unknown = [name for name in criteria if name not in FIELDS]
        if unknown:
            raise FilteringError(f"there is no field {unknown[0]!r}", value=unknown[0], hint=near(unknown[0], FIELDS))
        self.criteria = criteria
        self.verbose = verbose
        self.update_ids = update_ids
        self._how = {"regex": regex, "case": case, "match_all": match_all, "exact": exact}
        self._clear_cache = clear_cache
        self._dataset = dataset_of(dataset)
        self._when = asked_time(timestamp, materialization)
        self._roots: NDArray[np.int64] | None = None

    @classmethod
    def available_fields(cls) -> list[str]:
        """Return the fields that can be criteria."""
        return list(FIELDS)

    @property
    def dataset(self) -> str:
        """Name of the dataset."""
        return self._dataset.name

    @property
    def is_empty(self) -> bool:
        """Whether there are no criteria, which means all annotated neurons."""
        return not self.criteria

    @property
    def annotations(self) -> pd.DataFrame:
        """Annotations of the neurons: the rows that fit, in the order of the table.

        All 30 columns, a copy; `root_id` as in `get_roots`, as str. Rows that name no neuron are left out, and counted
        in `attrs["without_root"]`. `attrs` also holds `timestamp`, `materialization` and `dataset`.

        Raises
        ------
        NoMatchesError
        SourceError
        """
        table = self._fitting()
        named, kept = self._named(table)
        found = copied(table.iloc[kept]).reset_index(drop=True)
        found["root_id"] = [str(root) for root in named.rows[kept].tolist()]
        found.attrs.clear()
        found.attrs.update(named.attributes(self._dataset), without_root=len(table) - len(kept))
        return found

    def get_roots(self) -> NDArray[np.int64]:
        """Return the root ids of the neurons, as they are now: iterating and counting keeps to what this said last.

        Returns
        -------
        (n,) int64
            Each once, in the order of the table. They are integers also with `update_ids=False`. Annotations without
            a root id name no neuron; those whose root is none at the time are left out too, which is logged.

        Raises
        ------
        NoMatchesError
            No neuron fits.
        FilteringError
            A value is nothing that its field can have.
        InvalidTime
        SourceError

        Notes
        -----
        Endpoints: those of the annotations, once in two hours, and of `update_ids`, once for the neurons that fit.
        """
        if self.is_empty:
            _log.warning("criteria that say nothing mean all annotated neurons of %s", self.dataset)
        named, kept = self._named(self._fitting())
        self._roots = np.array(list(dict.fromkeys(named.rows[kept].tolist())), np.int64)
        return self._roots.copy()

    def at(self, when: When) -> NeuronCriteria:
        """Return the same criteria, whose neurons are looked at at another time.

        Parameters
        ----------
        when : time
            Any form of a time, see `crant_core.times.parse_at`.
        """
        other = copy(self)
        other._when, other._roots = when, None
        return other

    def to_neuroglancer(self, **kwargs: Any) -> str:
        """Return a link to a scene with the neurons.

        Parameters
        ----------
        **kwargs
            For `encode_url`.
        """
        from crant_core.neuroglancer import encode_url

        link: str = encode_url(self.get_roots(), dataset=self.dataset, **kwargs)
        return link

    def __iter__(self) -> Iterator[int]:
        return iter(self._remembered().tolist())

    def __len__(self) -> int:
        return len(self._remembered())

    def __contains__(self, neuron: object) -> bool:
        """Say whether a root id, as an integer or string, is one of `get_roots`."""
        try:
            return parse_id(neuron) in self._remembered()
        except InvalidId:
            return False

    def __repr__(self) -> str:
        said = ", ".join(f"{name}={value!r}" for name, value in self.criteria.items())
        return f"NeuronCriteria({said or 'all'}; dataset={self.dataset!r})"

    def __bool__(self) -> bool:
        """Be true whether or not any neuron fits, so that `if criteria` fetches nothing."""
        return True

    def _remembered(self) -> NDArray[np.int64]:
        return self.get_roots() if self._roots is None else self._roots

    def _fitting(self) -> pd.DataFrame:
        """Return the rows that fit; they share their cells with the cached table."""
        table = table_of(self._dataset, self._clear_cache)
        self._clear_cache = False
        for name, value in self.criteria.items():
            table = table[fitting(table, name, value, **self._how)]
            if self.verbose:
                _log.info("%s=%r leaves %d annotations", name, value, len(table))
        return table

    def _named(self, table: pd.DataFrame) -> tuple[Neurons, NDArray[np.intp]]:
        """Return the rows' neurons, and the positions of the rows that have one."""
        named = neurons_at(self._dataset, table, when=self._when, update=self.update_ids)
        if named.lost.any():
            lost = named.rows[named.lost].tolist()
            _log.warning("%d annotated roots are none at that time, such as %d", len(lost), lost[0])
        kept = np.flatnonzero((named.rows != 0) & ~named.lost)
        if not len(kept):
            hint = f"{len(table)} annotations fit, none of them with a root id" if len(table) else "check the spelling"
            raise NoMatchesError(f"no neuron fits {self!r}", value=repr(self.criteria), hint=hint)
        return named, kept
