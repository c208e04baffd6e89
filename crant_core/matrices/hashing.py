"""64-bit ids to dense numbers, by hashing: no column of ids is ever sorted."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from crant_core.errors import TooManyIds

Ids = NDArray[np.int64]
Codes = NDArray[np.uint16] | NDArray[np.int32]

_ROWS = 1 << 15  # hashed at once: what they need stays in the processor's second cache
_SLOTS = 1 << 16
_GOLDEN = np.uint64(0x9E3779B97F4A7C15)  # 2**64 / golden ratio: spreads ids that differ in few bits (Knuth, TAOCP 6.4)
_MOST = 2**31 - 1
_SHORT = 2**16


def factorise(*columns: Ids) -> tuple[Ids, list[Codes]]:
    """Number the ids of several columns together, ascending.

    Open addressing with linear probing, in blocks of rows, by NumPy: most ids are found in their home slot by one
    look-up; the others, and new ones, take part in rounds of probing. Only the different ids are sorted.

    Parameters
    ----------
    *columns : ndarray, (n,), int64
        Any 64-bit numbers.

    Returns
    -------
    ids : ndarray, (k,), int64
        The different ids, ascending.
    codes : list of ndarray, (n,), uint16 or int32
        For each column: where each row's id is in `ids`. uint16 if there are at most 65,536 of them.

    Raises
    ------
    TooManyIds
        There are 2**31 different ids or more.
    """
    table = _Table()
    codes = [_coded(column, table) for column in columns]
    ids = table.ids()
    order = np.argsort(ids, kind="stable")
    kind: type[Any] = np.uint16 if len(ids) <= _SHORT else np.int32
    rank: Codes = np.empty(len(ids), dtype=kind)
    rank[order] = np.arange(len(ids), dtype=rank.dtype)
    return ids[order], [_replaced(column, rank) for column in codes]


def _coded(ids: Ids, table: _Table) -> Codes:
    """Number ids in order of appearance; short codes become long ones when they no longer suffice."""
    found: Codes = np.empty(len(ids), dtype=np.uint16)
    for start in range(0, len(ids), _ROWS):
        rows = slice(start, start + _ROWS)
        codes = table.codes_of(ids[rows])
        if table.count > _SHORT and found.dtype == np.uint16:
            found = found.astype(np.int32)
        found[rows] = codes
    return found


def _replaced(codes: Codes, rank: Codes) -> Codes:
    """Put ranks in the place of codes, into the same memory if they fit."""
    found = codes if codes.dtype == rank.dtype else np.empty(len(codes), dtype=rank.dtype)
    for start in range(0, len(codes), _ROWS):
        rows = slice(start, start + _ROWS)
        found[rows] = rank.take(codes[rows])
    return found


class _Table:
    """A growing hash table from ids to codes in order of first appearance.

    An empty slot has the code -1 and holds an id whose home is another slot, so that a look-up in the home slot needs
    no second test.
    """

    def __init__(self) -> None:
        self.count = 0
        self._clear(_SLOTS)

    def _clear(self, slots: int) -> None:
        self.held = np.zeros(slots, dtype=np.int64)
        self.held[0] = 1  # the home of 0 is slot 0, that of 1 is not
        self.code = np.full(slots, -1, dtype=np.int32)
        self.shift = np.uint64(65 - slots.bit_length())

    def ids(self) -> Ids:
        """Return the ids by code."""
        used = np.flatnonzero(self.code >= 0)
        found = np.empty(self.count, dtype=np.int64)
        found[self.code[used]] = self.held[used]
        return found

    def codes_of(self, ids: Ids) -> Codes:
        """Return the codes of ids, (n,); new ids get new ones."""
        self._make_room(len(ids))
        home = self._home(ids)
        codes = self.code.take(home)
        elsewhere = np.flatnonzero(self.held.take(home) != ids)
        if len(elsewhere):
            codes[elsewhere] = self._probe(ids[elsewhere], home[elsewhere])
        return codes

    def _home(self, ids: Ids) -> NDArray[np.int64]:
        return ((ids.view(np.uint64) * _GOLDEN) >> self.shift).view(np.int64)

    def _make_room(self, more: int) -> None:
        """Keep half of the slots free, even if every one of so many ids is new."""
        slots = len(self.held)
        while slots < 2 * (self.count + more):
            slots *= 2
        if slots == len(self.held):
            return
        if self.count + more > _MOST:
            raise TooManyIds("there are more than 2**31 different ids", value=self.count)
        known, self.count = self.ids(), 0
        self._clear(slots)
        slot = self._home(known)
        self._probe(known, slot)
        self.code[slot] = np.arange(len(known), dtype=np.int32)

    def _probe(self, ids: Ids, slot: NDArray[np.int64]) -> Codes:
        """Look for ids slot by slot, and put those that meet an empty one there; `slot` becomes where each is."""
        codes, row = np.empty(len(ids), dtype=np.int32), np.arange(len(ids))
        while len(row):
            wanted, here = ids[row], slot[row]
            free = self.code[here] < 0
            self.held[here[free]] = wanted[free]  # of several ids for one slot the last stays, the others go on
            self._number(ids, row[free], slot)
            found = self.held[here] == wanted
            codes[row[found]] = self.code[here[found]]
            row = row[~found]
            slot[row] = (slot[row] + 1) & (len(self.held) - 1)
        return codes

    def _number(self, ids: Ids, rows: NDArray[np.int64], slot: NDArray[np.int64]) -> None:
        """Give slots that were just filled their codes, in the order of the rows that filled them."""
        kept = rows[self.held[slot[rows]] == ids[rows]]
        _, first = np.unique(slot[kept], return_index=True)
        new = slot[kept[np.sort(first)]]
        self.code[new] = np.arange(self.count, self.count + len(new), dtype=np.int32)
        self.count += len(new)
