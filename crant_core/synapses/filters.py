"""Which synapses count, and between which neurons they are: counted in columns, never row by row."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from crant_core.synapses.rows import ENDS, POST, PRE, SIZE

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Pairs:
    """Pairs of neurons in order of presynaptic, then postsynaptic id.

    Attributes
    ----------
    pre, post : (p,) int64
        Root ids.
    weight : (p,) int64
        Synapses from `pre` to `post`.
    """

    pre: NDArray[np.int64]
    post: NDArray[np.int64]
    weight: NDArray[np.int64]

    def partners(self, roots: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Count the different neurons that each root sends to, and those that it receives from, both (n,) int64."""
        return _times(self.pre, roots), _times(self.post, roots)


@dataclass(frozen=True, slots=True)
class Filters:
    """Which synapses count; the conditions work in this order, whatever is made of the synapses then.

    Attributes
    ----------
    min_size : float or None
        Drop those that are smaller, or whose size is not known.
    clean : bool
        Drop those of a neuron with itself, and with background (0).
    threshold : int
        Drop those of pairs with fewer synapses, counted now.
    """

    threshold: int = 1
    min_size: float | None = None
    clean: bool = True

    @property
    def columns(self) -> tuple[str, ...]:
        """Columns that are needed to count synapses."""
        return ENDS if self.min_size is None else (*ENDS, SIZE)

    def keep(self, rows: pd.DataFrame) -> pd.DataFrame:
        """Return the rows that count."""
        rows = self._single(rows)
        if self.threshold <= 1:
            return rows
        pairs, pair_of = _counted(rows)
        return rows[(pairs.weight >= self.threshold)[pair_of]]

    def pairs(self, rows: pd.DataFrame) -> Pairs:
        """Count the synapses of every pair, of those rows that count.

        Algorithm: both columns of ids are numbered by hashing, two numbers are one key, and keys are counted.
        """
        pairs, _ = _counted(self._single(rows))
        kept = pairs.weight >= self.threshold
        return pairs if kept.all() else Pairs(pairs.pre[kept], pairs.post[kept], pairs.weight[kept])

    def _single(self, rows: pd.DataFrame) -> pd.DataFrame:
        kept = np.ones(len(rows), dtype=np.bool_)
        if self.min_size is not None:
            kept &= rows[SIZE].to_numpy(np.float64, na_value=np.nan) >= self.min_size
        if self.clean:
            pre, post = rows[PRE].to_numpy(), rows[POST].to_numpy()
            kept &= (pre != post) & (pre != 0) & (post != 0)
        return rows if kept.all() else rows[kept]


def _counted(rows: pd.DataFrame) -> tuple[Pairs, NDArray[np.intp]]:
    """Return all pairs, and the pair of each row."""
    pre_codes, pre = pd.factorize(rows[PRE].to_numpy(), sort=True)
    post_codes, post = pd.factorize(rows[POST].to_numpy(), sort=True)
    width = max(1, len(post))
    pair_of, keys = pd.factorize(pre_codes * np.int64(width) + post_codes, sort=True)
    weight = np.bincount(pair_of, minlength=len(keys)).astype(np.int64)
    return Pairs(pre[keys // width], post[keys % width], weight), pair_of


def _times(ids: NDArray[np.int64], roots: NDArray[np.int64]) -> NDArray[np.int64]:
    ordered = np.sort(ids)
    return np.searchsorted(ordered, roots, "right") - np.searchsorted(ordered, roots, "left")
