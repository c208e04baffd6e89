"""Kernels that halve long edges: a decimated surface has triangles longer than its neurites are thick."""
# ruff: noqa: PLR0917 - kernels take no keywords

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from crant_core.skeleton.kernels.compiling import compiled, inlined
from crant_core.skeleton.slices import ROUNDS

Ints = NDArray[Any]  # of any width, with or without sign

_MIX, _SHIFT, _HALF, _ONE = np.uint64(0x9E3779B97F4A7C15), np.uint64(31), np.uint64(32), np.uint64(1)
_EMPTY, _LOW = np.uint64(0xFFFFFFFFFFFFFFFF), np.uint64(0xFFFFFFFF)


def split(places: Ints, faces: Ints, longest: int) -> tuple[Ints, Ints]:
    """Halve edges longer than `longest` cells: places, the former first, and faces."""
    fresh, done = faces, []
    for _ in range(ROUNDS):
        cuts = np.empty(len(fresh), dtype=np.uint8)
        touched, number = _look(places, fresh, longest * longest, cuts)
        if not touched:
            break
        done.append(fresh[cuts == 0])
        keys, parts = np.empty(number, dtype=np.uint64), np.empty((touched + number, 3), dtype=np.uint32)
        _list(fresh, cuts, keys)
        keys.sort()  # so that the order of faces does not matter; np.unique takes four times as long
        edges = keys[np.append(True, keys[1:] != keys[:-1])]
        table = np.full((1 << (2 * len(edges)).bit_length(), 2), _EMPTY)
        _enter(edges, len(places), table)
        _halve(fresh, cuts, table, parts)
        places, fresh = np.concatenate([places, np.empty((len(edges), 3), dtype=np.int32)]), parts
        _middles(edges, places, places[-len(edges) :])
    return places, np.concatenate([*done, fresh])


@compiled
def _look(places: Ints, faces: Ints, longest_square: int, cuts: Ints) -> tuple[int, int]:
    """Mark of every face which edges are long, bit k the one from corner k; count such faces, and edges of them."""
    touched = edges = 0
    for face in range(len(faces)):
        bits = 0
        for corner in range(3):
            square, one, other = np.int64(0), faces[face, corner], faces[face, (corner + 1) % 3]
            for axis in range(3):
                square += (np.int64(places[one, axis]) - np.int64(places[other, axis])) ** 2
            if square > longest_square:
                bits |= 1 << corner
                edges += 1
        cuts[face] = bits
        touched += bits > 0
    return touched, edges


@inlined
def _key(one: int, other: int) -> np.uint64:
    return np.uint64(min(one, other)) << _HALF | np.uint64(max(one, other))


@inlined
def _slot(key: np.uint64, table: Ints) -> np.uint64:
    """Return where in the table a key is, or would be."""
    mask, mixed = np.uint64(len(table) - 1), key * _MIX
    slot = (mixed ^ (mixed >> _SHIFT)) & mask
    while table[slot, 0] != key and table[slot, 0] != _EMPTY:
        slot = (slot + _ONE) & mask
    return slot


@compiled
def _list(faces: Ints, cuts: Ints, keys: Ints) -> None:
    """List the long edges by both ends' numbers."""
    count = 0
    for face in range(len(faces)):
        for corner in range(3):
            if np.int64(cuts[face]) >> corner & 1:
                keys[count] = _key(faces[face, corner], faces[face, (corner + 1) % 3])
                count += 1


@compiled
def _middles(edges: Ints, places: Ints, middles: Ints) -> None:
    for number in range(len(edges)):
        one, other = edges[number] >> _HALF, edges[number] & _LOW
        for axis in range(3):
            middles[number, axis] = (np.int64(places[one, axis]) + np.int64(places[other, axis])) >> 1


@compiled
def _enter(edges: Ints, first: int, table: Ints) -> None:
    for number in range(len(edges)):
        slot = _slot(edges[number], table)
        table[slot, 0], table[slot, 1] = edges[number], first + number


@compiled
def _halve(faces: Ints, cuts: Ints, table: Ints, parts: Ints) -> None:
    """Make two, three or four faces of each that has one, two or three long edges."""
    made, middle = 0, np.zeros(3, np.uint32)
    for face in range(len(faces)):
        bits = int(cuts[face])
        if not bits:
            continue
        for corner in range(3):
            if bits >> corner & 1:
                slot = _slot(_key(faces[face, corner], faces[face, (corner + 1) % 3]), table)
                middle[corner] = table[slot, 1]
        # Turned so that the odd edge out comes first: the only one that is long, or the only one that is not.
        turn = (0, 0, 1, 2, 2, 1, 0, 0)[bits]
        a, b, c = faces[face, turn], faces[face, (turn + 1) % 3], faces[face, (turn + 2) % 3]
        ab, bc, ca = middle[turn], middle[(turn + 1) % 3], middle[(turn + 2) % 3]
        made = _put_parts(parts, made, bits, a, b, c, ab, bc, ca)


@inlined
def _put_parts(parts: Ints, made: int, bits: int, a: int, b: int, c: int, ab: int, bc: int, ca: int) -> int:
    if bits in (1, 2, 4):
        made = _put(parts, _put(parts, made, a, ab, c), ab, b, c)
    elif bits == 7:  # noqa: PLR2004 - all three
        made = _put(parts, _put(parts, made, a, ab, ca), ab, b, bc)
        made = _put(parts, _put(parts, made, ca, bc, c), ab, bc, ca)
    else:
        made = _put(parts, _put(parts, _put(parts, made, a, b, bc), a, bc, ca), ca, bc, c)
    return made


@inlined
def _put(parts: Ints, at: int, a: int, b: int, c: int) -> int:
    parts[at, 0], parts[at, 1], parts[at, 2] = a, b, c
    return at + 1
