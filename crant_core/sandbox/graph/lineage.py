"""Which roots became which."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from crant_core.sandbox.graph.operations import Operation, Pair

Family = dict[int, tuple[int, ...]]


@dataclass
class Lineage:
    """Roots before and after each edit.

    Attributes
    ----------
    former, successors : dict of root to roots
        What a root was made of, and what it became; only roots that were.
    made_by, ended_by : dict of root to Operation
        The edits at both ends of a root's life.
    """

    former: Family = field(default_factory=dict)
    successors: Family = field(default_factory=dict)
    made_by: dict[int, Operation] = field(default_factory=dict)
    ended_by: dict[int, Operation] = field(default_factory=dict)

    def copy(self) -> Lineage:
        """Return an independent lineage."""
        return Lineage(dict(self.former), dict(self.successors), dict(self.made_by), dict(self.ended_by))

    def record(self, operation: Operation, links: Iterable[Pair]) -> None:
        """Remember which old root (first) passed something to which new root (second)."""
        for old, new in links:
            self.successors[old] = (*self.successors.get(old, ()), new)
            self.former[new] = (*self.former.get(new, ()), old)
            self.ended_by[old] = self.made_by[new] = operation


@dataclass
class Descent:
    """A part of the lineage: roots and links from old to new ones, in the order they were found."""

    roots: dict[int, None] = field(default_factory=dict)
    links: dict[Pair, None] = field(default_factory=dict)

    def parents(self, root: int) -> list[int]:
        """Return a root's direct ancestors."""
        return [old for old, new in self.links if new == root]

    def children(self, root: int) -> list[int]:
        """Return a root's direct descendants."""
        return [new for old, new in self.links if old == root]

    def ancestors(self, root: int) -> set[int]:
        """Return all the roots before one, without it."""
        return _reach(root, [(new, old) for old, new in self.links])

    def descendants(self, root: int) -> set[int]:
        """Return all the roots after one, without it."""
        return _reach(root, list(self.links))


def _reach(start: int, links: list[Pair]) -> set[int]:
    beside: dict[int, list[int]] = {}
    for near, far in links:
        beside.setdefault(near, []).append(far)
    seen, waiting = {start}, [start]
    while waiting:
        new = set(beside.get(waiting.pop(), ())) - seen
        seen |= new
        waiting.extend(new)
    return seen - {start}
