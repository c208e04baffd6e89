"""Which roots became which, read off what the chunkedgraph tells of some roots."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from crant_core.errors import SourceError

_LONGEST = 100  # characters of what is no lineage


@dataclass(frozen=True, slots=True)
class Lineage:
    """A part of the history of roots.

    A root holds from its birth on, that moment included, until its end, that moment excluded: at the time of an edit
    the new roots hold. All heirs of a root are made by one edit, at one moment, so any of them tells its end.

    Attributes
    ----------
    born : dict of int to datetime
        When a root was made, UTC; every root of the part is in it.
    heirs, parents : dict of int to set of int
        What a root became, and what it was made of; without roots that have none, or none in this part.
    operations : dict of int to int
        The edit that ended a root, where the server says it.
    whole : set of int
        Roots of which the server told all heirs. Of roots that it met on its way to the past it tells only those heirs
        on that way.
    """

    born: dict[int, datetime] = field(default_factory=dict)
    heirs: dict[int, set[int]] = field(default_factory=dict)
    parents: dict[int, set[int]] = field(default_factory=dict)
    operations: dict[int, int] = field(default_factory=dict)
    whole: set[int] = field(default_factory=set)

    def read(self, answer: Mapping[str, Any]) -> None:
        """Add what a server answered: networkx's node-link data.

        Raises
        ------
        SourceError
            A link leads to a root that is not described, or it is no such data.
        """
        if "nodes" not in answer:
            raise SourceError("a lineage came without roots", value=str(answer)[:_LONGEST])
        for node in answer["nodes"]:
            root = int(node["id"])
            self.born[root] = datetime.fromtimestamp(float(node["timestamp"]), UTC)
            if node.get("operation_id") is not None:
                self.operations[root] = int(node["operation_id"])
        for link in answer.get("links", answer.get("edges", ())):
            self.link(int(link["source"]), int(link["target"]))

    def link(self, old: int, new: int) -> None:
        """Add that one root passed something on to another.

        Raises
        ------
        SourceError
            One of them is not described.
        """
        for root in (old, new):
            if root not in self.born:
                raise SourceError(f"a lineage leads to {root} and does not say when it was made", value=root)
        self.heirs.setdefault(old, set()).add(new)
        self.parents.setdefault(new, set()).add(old)

    def followed(self, roots: Iterable[int], until: datetime) -> None:
        """Note that the server followed roots to the future, up to the first roots made at some time."""
        waiting = [root for root in roots if root in self.born]
        while waiting:
            root = waiting.pop()
            if root not in self.whole and self.born[root] < until:
                self.whole.add(root)
                waiting += self.heirs.get(root, ())

    def add(self, other: Lineage) -> None:
        """Add another part."""
        self.born.update(other.born)
        self.whole.update(other.whole)
        self.operations.update(other.operations)
        for old, heirs in other.heirs.items():
            for new in heirs:
                self.link(old, new)

    def ended(self, root: int) -> datetime | None:
        """Return when a root was replaced; None if it has no heirs here."""
        return min((self.born[heir] for heir in self.heirs.get(root, ())), default=None)

    def holds(self, root: int, when: datetime) -> bool:
        """Say whether a root of this part holds at a time."""
        ended = self.ended(root)
        return self.born[root] <= when and (ended is None or when < ended)

    def at(self, root: int, when: datetime) -> tuple[int, ...]:
        """Return the roots, ascending, that hold at a time and together contain all of a root.

        For a time before the root's birth these are what it was made of; nothing if the root is not in this part, or
        nothing of it was there yet.
        """
        if root not in self.born:
            return ()
        further = self.parents if when < self.born[root] else self.heirs
        return tuple(sorted(self._holding(root, when, further)))

    def _holding(self, root: int, when: datetime, further: Mapping[int, set[int]]) -> Iterable[int]:
        waiting, seen = [root], {root}
        while waiting:
            one = waiting.pop()
            if self.holds(one, when):
                yield one
                continue
            new = further.get(one, set()) - seen
            seen |= new
            waiting += new
