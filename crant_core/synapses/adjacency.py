"""Numbers of synapses between neurons, as a matrix."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from crant_core.synapses import rows as table
from crant_core.synapses.filters import Filters, Pairs
from crant_core.synapses.listing import where_given, where_of
from crant_core.synapses.question import Question
from crant_core.synapses.rows import POST, PRE, Where

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from scipy.sparse import csr_array

    from crant_core.times import When


@dataclass(frozen=True, slots=True)
class Adjacency:
    """A matrix of which most cells are 0.

    Attributes
    ----------
    matrix : scipy.sparse.csr_array
        (n, m) int64: synapses from `pre_ids[i]` to `post_ids[j]`.
    pre_ids, post_ids : (n,), (m,) int64
        Root ids, ascending.
    attrs : dict
        `timestamp` (ISO 8601, UTC), `materialization` (int or None) and `dataset`.
    """

    matrix: csr_array
    pre_ids: NDArray[np.int64]
    post_ids: NDArray[np.int64]
    attrs: dict[str, Any] = field(default_factory=dict)

    def to_frame(self) -> pd.DataFrame:
        """Return it as `get_adjacency` does without `sparse`."""
        frame = pd.DataFrame(self.matrix.toarray(), index=self.pre_ids, columns=self.post_ids)
        frame.attrs |= self.attrs
        return frame


def get_adjacency(  # noqa: PLR0917 - the order that people know
    pre_ids: Any = None,
    post_ids: Any = None,
    threshold: int = 1,
    min_size: float | None = None,
    materialization: When = "latest",
    symmetric: bool = False,
    clean: bool = True,
    update_ids: bool = True,
    dataset: Any = None,
    *,
    sparse: bool = False,
) -> pd.DataFrame | Adjacency:
    """Count the synapses between neurons, as a matrix.

    Parameters
    ----------
    pre_ids, post_ids : ids, neurons or NeuronCriteria, optional
        Presynaptic and postsynaptic neurons, as in `get_synapses`. Left out: all that synapse with the others.
    threshold : int, default 1
        Leave out pairs with fewer synapses.
    min_size, materialization, clean, update_ids, dataset
        As in `get_synapses`; filters work in the same order.
    symmetric : bool, default False
        Have the same ids on both axes: all that are on either. The matrix is square; its cells still have a direction.
    sparse : bool, default False
        Return an `Adjacency`, which needs memory for connected pairs only: 25,000 neurons would be 5 GB otherwise.

    Returns
    -------
    pandas.DataFrame or Adjacency
        int64. Rows are presynaptic, columns postsynaptic root ids at the time, int64, ascending. As documented by
        crantpy, they are those of the synapses that passed the filters: neurons that were asked for and have none are
        not there. If no synapse passed, the axes are the neurons that were asked for, and all cells are 0; a side that
        was left out is empty. `attrs` as in `get_synapses`.

    Raises
    ------
    InvalidInput, InvalidId, InvalidTime, VersionNotFound, NoMatchesError, SourceError
        As `get_synapses`.

    Notes
    -----
    Endpoints: as in `get_synapses`; no positions are downloaded.
    """
    where_given(pre_ids, post_ids)
    question = Question.of(dataset, materialization, update=update_ids)
    where = where_of(question, pre_ids, post_ids)
    filters = Filters(threshold, min_size, clean)
    pairs = filters.pairs(table.fetch(question, [where], filters.columns))
    found = adjacency_of(pairs, axes_of(pairs, where, symmetric))
    found.attrs.update(question.attributes)
    return found if sparse else found.to_frame()


def adjacency_of(pairs: Pairs, axes: tuple[NDArray[np.int64], NDArray[np.int64]]) -> Adjacency:
    """Put pairs into a matrix whose axes, ascending, have all their ids."""
    from scipy.sparse import csr_array

    cells = np.searchsorted(axes[0], pairs.pre), np.searchsorted(axes[1], pairs.post)
    return Adjacency(csr_array((pairs.weight, cells), shape=(len(axes[0]), len(axes[1])), dtype=np.int64), *axes)


def axes_of(pairs: Pairs, where: Where, symmetric: bool) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the ids on both axes, ascending: those of pairs; without any pair, those that were asked for."""
    ends = (pairs.pre, pairs.post)
    if not len(pairs.weight):
        ends = tuple(np.array([*where.get(side, ())], dtype=np.int64) for side in (PRE, POST))  # type: ignore[assignment]
    if symmetric:
        both = np.unique(np.concatenate(ends))
        return both, both
    return np.unique(ends[0]), np.unique(ends[1])
