"""A question to a table, in parts that a server answers whole: fewer ids, then less space."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product

from crant_core.sources.chunkedgraph_requests import JSON_IDS

Corner = tuple[int, int, int]

_FAR = 2**31  # beyond every position: servers keep voxels in 32 bits
_AXES = range(3)


@dataclass(frozen=True, slots=True)
class Box:
    """A box in voxels of a table; its faces belong to it, so boxes that touch share the rows between them."""

    low: Corner
    high: Corner

    def cut(self, axis: int, at: int) -> tuple[Box, Box]:
        """Cut it in two at a plane strictly inside it."""
        return replace(self, high=_moved(self.high, axis, at)), replace(self, low=_moved(self.low, axis, at))

    def halves(self) -> tuple[Box, Box] | None:
        """Bisect it along its longest axis; None if it is one voxel wide, and holds what cannot be told apart."""
        widths = [self.high[axis] - self.low[axis] for axis in _AXES]
        axis = widths.index(max(widths))
        if widths[axis] <= 1:
            return None
        return self.cut(axis, self.low[axis] + widths[axis] // 2)


EVERYWHERE = Box((-_FAR, -_FAR, -_FAR), (_FAR, _FAR, _FAR))


def around(box: Box) -> tuple[Box, ...]:
    """Cut all space into a box, first, and what is around it: points outside of a volume are rows too."""
    rest, outside = EVERYWHERE, list[Box]()
    for axis in _AXES:
        below, rest = rest.cut(axis, box.low[axis])
        rest, above = rest.cut(axis, box.high[axis])
        outside += [below, above]
    return rest, *outside


@dataclass(frozen=True, slots=True)
class Part:
    """Rows in which each column has one of its ids; with a box, those whose position `place` is inside."""

    where: Mapping[str, Sequence[int]]
    place: str = ""
    box: Box | None = None

    def fewer_ids(self) -> tuple[Part, ...]:
        """Return the two halves of the longest list of ids; nothing if no column has two ids."""
        column = max(self.where, key=lambda name: len(self.where[name]), default="")
        if not column:
            return ()
        ids = self.where[column]
        half = len(ids) // 2
        return tuple(replace(self, where={**self.where, column: some}) for some in (ids[:half], ids[half:]) if half)

    def inside(self, boxes: Iterable[Box]) -> tuple[Part, ...]:
        """Return the same question about boxes."""
        return tuple(replace(self, box=box) for box in boxes)


def batches_of(
    where: Mapping[str, Iterable[int]], place: str = "", size: int = JSON_IDS, box: Box | None = None
) -> Iterator[Part]:
    """Cut a question into parts of no more ids, all columns together, than a request may carry.

    Parameters
    ----------
    where : mapping of str to ids
        By column. Equal ids are asked once; a column without any: there are no parts.
    place : str
        The position by which space can be divided.
    size : int
    box : Box, optional
        Where `place` must be in each part.
    """
    asked = {column: sorted({int(value) for value in values}) for column, values in where.items()}
    each = max(1, size // max(1, len(asked)))
    cut = [[ids[start : start + each] for start in range(0, len(ids), each)] for ids in asked.values()]
    for some in product(*cut):
        yield Part(dict(zip(asked, some, strict=True)), place, box)


def _moved(corner: Corner, axis: int, at: int) -> Corner:
    x, y, z = (at if axis == one else corner[one] for one in _AXES)
    return x, y, z
