"""In which order types and neurons stand on an axis."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from typing import Any

from crant_core.errors import InvalidInput
from crant_core.matrices.reading import type_label

COLUMNAR = "EPG/PEG"  #: the type whose neurons stand in the order of the ellipsoid body's columns
EB_COLUMNS = tuple(f"{side}{number}" for right in range(1, 9) for side, number in (("R", right), ("L", 9 - right)))

_LETTERS = re.compile(r"[A-Za-z]*")
_NUMBER = re.compile(r"\d+")
_COLUMN = re.compile(r"([LR]\d+)$")


def type_key(label: str) -> tuple[str, float, str]:
    """Return what types are sorted by where no order is given.

    First the letters in front, as capitals; then the first number, so that `ER2` stands before `ER10`, and types
    without one come last; then the whole label.
    """
    number = _NUMBER.search(label)
    return _prefix(label), int(number[0]) if number else math.inf, label


def sorted_types(labels: Iterable[str], type_order: Sequence[Any] | None = None) -> list[str]:
    """Sort types.

    Parameters
    ----------
    labels : iterable of str
        Different types.
    type_order : sequence, optional
        Whole labels, or letters in front: `"ER"` stands for `ER1`, `ER2`, …, as far as they are not named themselves.
        Types it does not name follow.

    Raises
    ------
    InvalidInput
        The order is a single string or names no types.
    """
    rank = _ranks(type_order)
    return sorted(labels, key=lambda label: (_rank(label, rank), type_key(label)))


def without_effect(labels: Iterable[str], type_order: Sequence[Any] | None) -> list[str]:
    """Return entries of an order that are none of these types, nor letters that one of them starts with."""
    there = {name for label in labels for name in (label, _prefix(label))}
    rank = _ranks(type_order)
    return [entry for entry in sorted(rank, key=rank.__getitem__) if entry not in there]


def eb_rank(*texts: Any) -> int:
    """Return the place of a neuron's column in the ellipsoid body, read from the first text that ends with one."""
    for text in texts:
        found = _COLUMN.search(type_label(text) or "")
        if found and found[1] in EB_COLUMNS:
            return EB_COLUMNS.index(found[1])
    return len(EB_COLUMNS)


def neuron_key(label: str) -> tuple[bool, int, str]:
    """Return what neurons without a type are sorted by: ids by their number, then names."""
    return (False, int(label), "") if label.isdecimal() else (True, 0, label)


def _prefix(label: str) -> str:
    return _LETTERS.match(label)[0].upper()  # type: ignore[index] # it matches nothing, at least


def _ranks(type_order: Sequence[Any] | None) -> dict[str, int]:
    if isinstance(type_order, str | bytes):
        raise InvalidInput("type_order is one string", value=type_order, hint="give a list of types")
    labels = [type_label(entry) for entry in ([] if type_order is None else type_order)]
    if None in labels:
        raise InvalidInput("type_order has an entry that is no type", value=type_order)
    return {str(label): place for place, label in reversed(list(enumerate(labels)))}


def _rank(label: str, rank: dict[str, int]) -> float:
    prefix = _prefix(label)
    whole = rank.get(label)
    return rank.get(prefix, math.inf) if whole is None else whole
