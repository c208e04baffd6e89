"""Counts synapses by neuropil, source and target.

Two ways, both linear in memory and without Python per row:

* counts: neuropil, source and target are packed into one key of up to 63 bits, or 32 if that suffices; NumPy sorts the
  keys (vectorised quicksort on x86 and ARM, in place), and runs of equal keys are counted. 4 or 8 bytes a row beside
  the two codes, which are of 2 or 4.
* weights, and keys that would be longer: two stable counting sorts by SciPy (by target, then by neuropil and source),
  then runs are summed in the order of the input, in float64.

Both give a canonical CSR matrix with one row per neuropil and source: the matrix of a neuropil is a slice of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array, csr_array

from crant_core.errors import DifferentNeuropils, InvalidInput, NoMatchesError
from crant_core.matrices.hashing import Codes, Ids, factorise

EVERYWHERE = "everywhere"  #: the name of the one neuropil of counts that know no neuropils
_KEY_BITS, _SHORT_KEY_BITS = 63, 32
_ROWS = 1 << 16  # packed at once


@dataclass(frozen=True, eq=False, slots=True)
class Counts:
    """Synapses, or sums of weights, by neuropil, source and target.

    Attributes
    ----------
    ids : ndarray, (k,), int64
        Neurons, ascending; each occurs as a source or target in some neuropil.
    names : tuple of str
        Of neuropils.
    table : scipy.sparse.csr_array, (len(names) · k, k), int64 or float64
        All neuropils stacked: row `i · k + j` has the targets of neuron j in neuropil i. Indices are sorted and occur
        once. A sum that happens to be zero is stored.
    open_neuropils : tuple of str
        Those whose mesh does not close: what is counted there is a judgement and not a fact.
    """

    ids: Ids
    names: tuple[str, ...]
    table: Any
    open_neuropils: tuple[str, ...] = ()

    def of(self, name: str) -> Any:
        """Return the matrix of one neuropil, (k, k) CSR; its data and indices are views.

        Raises
        ------
        NoMatchesError
            There is no such neuropil.
        """
        if name not in self.names:
            raise NoMatchesError(f"no neuropil is called {name!r}", value=name, hint=f"there are: {self.names}")
        size, at = len(self.ids), self.names.index(name)
        rows = self.table.indptr[at * size : (at + 1) * size + 1]
        entries = slice(rows[0], rows[-1])
        return _canonical(self.table.data[entries], self.table.indices[entries], rows - rows[0], (size, size))


def count(
    pre: Ids,
    post: Ids,
    region: NDArray[np.integer] | None = None,
    names: Sequence[str] = (EVERYWHERE,),
    weights: NDArray[np.float64] | None = None,
) -> Counts:
    """Count rows by neuropil, source and target, or sum their weights.

    Parameters
    ----------
    pre, post : ndarray, (n,), int64
        Sources and targets.
    region : ndarray, (n,), int, optional
        Each row's neuropil as a number along `names`. Left out, all rows are in the one neuropil.
    names : sequence of str
        Of neuropils.
    weights : ndarray, (n,), float64, optional
        Left out, each row counts 1.

    Raises
    ------
    InvalidInput
        Columns differ in length, or a number stands for no neuropil.
    """
    ids, codes = factorise(_int64(pre), _int64(post))
    return Counts(ids, tuple(names), tally(codes.pop(0), codes.pop(), len(ids), region, len(names), weights))


def tally(  # noqa: PLR0917 - columns
    source: Codes,
    target: Codes,
    size: int,
    region: NDArray[np.integer] | None = None,
    regions: int = 1,
    weights: NDArray[np.float64] | None = None,
) -> Any:
    """Count rows whose ids are numbered already.

    Parameters
    ----------
    source, target : ndarray, (n,), uint16 or int32
        Between 0 and `size` - 1.
    size : int
        How many different ids there are.
    region : ndarray, (n,), int, optional
        Between 0 and `regions` - 1.
    regions : int
        How many neuropils there are.
    weights : ndarray, (n,), float64, optional

    Returns
    -------
    scipy.sparse.csr_array, (regions · size, size)
        Canonical; int64, or float64 if there are weights.
    """
    _check(source, target, region, regions, weights)
    bits = max(1, int(size - 1).bit_length())
    needed = (regions * max(size, 1)).bit_length() + bits
    if weights is None and needed <= _KEY_BITS:
        keys = np.empty(len(source), dtype=np.uint32 if needed <= _SHORT_KEY_BITS else np.int64)
        _pack(keys, source, target, (size, bits), region)
        del source, target
        return _runs(keys, bits, regions * size, size)
    row = source.astype(np.int64) if region is None else region.astype(np.int64) * size + source
    values = np.ones(len(source), dtype=np.int64) if weights is None else weights.astype(np.float64)
    return summed(values, row, target, (regions * size, size))


def summed(values: NDArray[Any], row: NDArray[np.integer], column: NDArray[np.integer], shape: tuple[int, int]) -> Any:
    """Add up values of equal row and column, in the order of the input, by two counting sorts; canonical CSR."""
    if not len(values):
        return csr_array(shape, dtype=values.dtype)
    entries = coo_array((values, (row, column)), shape=shape)
    entries.has_canonical_format = True  # it is not, but so nothing is summed before both sorts are done
    by_column = entries.tocsc()
    by_column.has_canonical_format = True
    by_row = by_column.tocsr()
    by_row.has_sorted_indices, by_row.has_canonical_format = True, False
    by_row.sum_duplicates()
    by_row.has_canonical_format = True
    return by_row


def of_sorted(
    values: NDArray[Any], row: NDArray[np.integer], column: NDArray[np.integer], shape: tuple[int, int]
) -> Any:
    """Make canonical CSR of entries that are sorted by row and column, and of which no two are in one place."""
    kind = np.int32 if max(len(values), shape[1]) < 2**31 else np.int64
    starts = np.concatenate([[0], np.cumsum(np.bincount(row, minlength=shape[0]))])
    return _canonical(values.copy(), column.astype(kind), starts.astype(kind), shape)


def merge(parts: Iterable[Counts]) -> Counts:
    """Add up counts of disjoint parts of a table, as if all had been counted at once.

    A row that is in two parts counts twice: `id`s are compared within a part only, because counts do not know them any
    more. All parts must have been counted in the same neuropils (and all or none with `include_other`); that the names
    also stood for the same meshes is up to you.

    Counts add up exactly. Weights are added in the order of the parts, so their sums may differ in the last digits from
    those of another partition.

    Raises
    ------
    InvalidInput
        Counts cannot be added to weights.
    DifferentNeuropils
        Parts were counted in different neuropils: a synapse in one that a part did not know is missing there.
    """
    given = list(parts)
    check_names(given)
    if len({part.table.dtype.kind for part in given}) > 1:
        raise InvalidInput("some parts are counts and some are sums of weights", hint="merge only one kind")
    ids = np.unique(np.concatenate([np.empty(0, dtype=np.int64), *(part.ids for part in given)]))
    names = tuple(dict.fromkeys(name for part in given for name in part.names))
    unclosed = tuple(dict.fromkeys(name for part in given for name in part.open_neuropils))
    shape = (len(names) * len(ids), len(ids))
    entries = [_entries(part, ids, names) for part in given]
    if not entries:
        return Counts(ids, names, csr_array(shape, dtype=np.int64), unclosed)
    values, row, column = (np.concatenate(arrays) for arrays in zip(*entries, strict=True))
    return Counts(ids, names, summed(values, row, column, shape), unclosed)


def check_names(parts: Sequence[Counts]) -> None:
    """Refuse to add up what was counted in different neuropils; raises `DifferentNeuropils`."""
    known = [(place, part.names) for place, part in enumerate(parts) if part.names or len(part.ids)]
    for place, names in known[1:]:
        first, expected = known[0]
        lacking = [name for name in expected if name not in names]
        more = [name for name in names if name not in expected]
        if lacking or more:
            told = [f"lacks {_quoted(lacking)}"] * bool(lacking) + [f"has {_quoted(more)}, too"] * bool(more)
            message = f"part {place} {' and '.join(told)}: it was counted in other neuropils than part {first}"
            hint = "count all parts with the same neuropils and the same include_other; parts are numbered from 0"
            raise DifferentNeuropils(message, value=[*lacking, *more], hint=hint)


def _quoted(names: list[str]) -> str:
    return ", ".join(map(repr, names))


def _entries(part: Counts, ids: Ids, names: tuple[str, ...]) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """Return values, rows and columns of a part, numbered as in the whole."""
    place = np.searchsorted(ids, part.ids)
    region = np.array([names.index(name) for name in part.names], dtype=np.int64)
    rows = (region[:, None] * len(ids) + place).ravel()
    return part.table.data, np.repeat(rows, np.diff(part.table.indptr)), place[part.table.indices]


def _pack(
    keys: NDArray[Any],
    source: Codes,
    target: Codes,
    layout: tuple[int, int],
    region: NDArray[np.integer] | None,
) -> None:
    """Write keys; the layout is how many sources a neuropil has, and how many bits a target."""
    size, bits = layout
    for start in range(0, len(keys), _ROWS):
        rows = slice(start, start + _ROWS)
        key = keys[rows]
        if region is None:
            key[:] = source[rows]
        else:
            np.multiply(region[rows], size, out=key, casting="unsafe", dtype=np.int64)
            key += source[rows].astype(key.dtype, copy=False)
        key <<= bits
        key |= target[rows].astype(key.dtype, copy=False)


def _runs(keys: NDArray[Any], bits: int, rows: int, columns: int) -> Any:
    """Count equal keys."""
    keys.sort()
    starts = _starts(keys)
    data = np.diff(starts, append=len(keys))
    keys = keys[starts]
    kind = np.int32 if max(len(starts), columns) < 2**31 else np.int64
    ends = np.cumsum(np.bincount((keys >> bits).astype(np.int64, copy=False), minlength=rows)[:rows])
    indptr = np.concatenate([[0], ends]).astype(kind)
    keys &= (1 << bits) - 1
    return _canonical(data, keys.astype(kind), indptr, (rows, columns))


def _starts(keys: NDArray[Any]) -> NDArray[np.int64]:
    """Return where runs of equal keys start, (runs,)."""
    found = [np.zeros(min(1, len(keys)), dtype=np.int64)]
    for start in range(1, len(keys), _ROWS):
        block = keys[start - 1 : start + _ROWS]
        found.append(np.flatnonzero(block[1:] != block[:-1]) + start)
    return np.concatenate(found)


def _canonical(data: NDArray[Any], indices: NDArray[Any], indptr: NDArray[Any], shape: tuple[int, int]) -> Any:
    found = csr_array((data, indices, indptr), shape=shape)
    found.has_sorted_indices = found.has_canonical_format = True
    return found


def _int64(ids: Any) -> Ids:
    array = np.ascontiguousarray(ids)
    if array.size and array.dtype.kind not in "iu":
        raise InvalidInput(f"ids are whole numbers, not {array.dtype}", value=str(array.dtype))
    return array.astype(np.int64, copy=False)


def _check(
    source: Codes,
    target: Codes,
    region: NDArray[np.integer] | None,
    regions: int,
    weights: NDArray[np.float64] | None,
) -> None:
    given = [column for column in (source, target, region, weights) if column is not None]
    if len({len(column) for column in given}) > 1:
        raise InvalidInput("columns differ in length", value=[len(column) for column in given])
    if region is not None and len(region) and not 0 <= region.min() <= region.max() < regions:
        raise InvalidInput(f"there are {regions} neuropils, numbered from 0", value=int(region.max()))
