"""The chunkedgraph: which supervoxels are one neuron, and since when. Semantics are PyChunkedGraph's, odd ones too."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Self, cast

import numpy as np
from numpy.typing import ArrayLike

from crant_core.sandbox import layout
from crant_core.sandbox.graph import history, nodes, splits
from crant_core.sandbox.graph.base import Base
from crant_core.sandbox.graph.edges import Edges, Pairs
from crant_core.sandbox.graph.edits import rewire
from crant_core.sandbox.graph.hierarchy import Flags, Indices
from crant_core.sandbox.graph.lineage import Descent, Lineage
from crant_core.sandbox.graph.operations import EditRefused, Kind, Operation, Pair, Position, Status, from_ms, to_ms
from crant_core.sandbox.graph.tree import SEGMENT_BITS, Tree
from crant_core.sandbox.layout import Ids

Ends = tuple[Sequence[int], Sequence[int]]  #: sources and sinks
Coords = tuple[Sequence[Position], Sequence[Position]]  #: of sources and of sinks, nm
_FEW = 16  # up to here a loop beats numpy


@dataclass
class ChunkedGraph:
    """Nodes, the edges between supervoxels, and what proofreaders did.

    Times are aware datetimes, truncated to ms. Use `ingest` to make one.
    """

    tree: Tree
    edges: Edges
    family: Lineage
    operations: list[Operation]

    @classmethod
    def ingest(cls, supervoxels: Ids, edges: Indices, active: Flags, created: datetime) -> Self:
        """Build a graph.

        Parameters
        ----------
        supervoxels : (n,) uint64
            Unique ids of layer 1.
        edges : (m, 2) int64
            Contacts between supervoxels, as indices into them.
        active : (m,) bool
            Which contacts join their supervoxels into one neuron.
        created : datetime
            Since when all nodes exist.
        """
        base = Base.build(
            np.asarray(supervoxels, dtype=np.uint64),
            np.asarray(edges, dtype=np.int64).reshape(-1, 2),
            np.asarray(active, dtype=np.bool_),
        )
        return cls(Tree(base, to_ms(created)), Edges(base), Lineage(), [])

    def copy(self) -> ChunkedGraph:
        """Return an independent graph; what was ingested is shared."""
        return ChunkedGraph(self.tree.copy(), self.edges.copy(), self.family.copy(), list(self.operations))

    # --- looking up

    def roots(self, ids: ArrayLike, at: datetime, stop_layer: int = layout.N_LAYERS) -> Ids:
        """Return the lowest ancestors at or above `stop_layer`, (n,) uint64; at the time of an edit, those after it.

        Ids already there are echoed. Among those below, an id without a root gives 0, but if none of them has one all
        come back unchanged.
        """
        wanted = np.asarray(ids, dtype=np.uint64)
        found = self._climb(wanted, to_ms(at), stop_layer)
        low = (layout.layer_of(wanted) < stop_layer) & (wanted != 0)
        return found if found[low].any() else wanted

    def is_latest(self, ids: ArrayLike, at: datetime) -> Flags:
        """Say which nodes are current, or belong to a current root, (n,) bool. Never true of supervoxels.

        Exclusive: at the very time of an edit the old roots are still current, the new ones not yet.
        """
        wanted, moment = np.asarray(ids, dtype=np.uint64), to_ms(at)
        roots = self._climb(wanted, moment, layout.N_LAYERS).tolist()
        pairs = zip(wanted.tolist(), roots, strict=True)
        return np.array([self._is_latest(node, root, moment) for node, root in pairs], dtype=np.bool_)

    def exists(self, ids: ArrayLike) -> Flags:
        """Say which ids are nodes, now or in the past, (n,) bool."""
        return self.tree.exist(np.asarray(ids, dtype=np.uint64))

    def created(self, node: int) -> datetime:
        """Return since when a node exists; KeyError if it never did."""
        born = self.tree.born(node)
        if born is None:
            raise KeyError(node)
        return from_ms(born)

    def superseded_at(self, root: int) -> datetime | None:
        """Return when an edit ended a root, None if it is current or no root."""
        operation = self.family.ended_by.get(root)
        return operation.timestamp if operation else None

    def is_root(self, node: int) -> bool:
        """Say whether this is a root, old or current."""
        return node >> 56 == layout.N_LAYERS and self.tree.born(node) is not None

    def children(self, node: int) -> Ids:
        """Return a node's children, sorted; none if it is a supervoxel or unknown."""
        return self.tree.children(node)

    def leaves(self, node: int, stop_layer: int = 1, bounds: ArrayLike | None = None) -> Ids:
        """Return the nodes of exactly one layer in a node, sorted; `bounds` (3, 2), voxels, keeps chunks it touches."""
        return nodes.leaves(self.tree, node, stop_layer, bounds)

    def l2_of(self, root: int) -> Ids:
        """Return a root's L2 ids, sorted."""
        return self.leaves(root, stop_layer=2)

    def lvl2_graph(self, node: int, bounds: ArrayLike | None = None) -> Pairs:
        """Return which of a node's L2 ids touch, (k, 2) uint64, each pair once."""
        return nodes.lvl2_graph(self.tree, self.edges, node, bounds)

    def edges_of(self, node: int, bounds: ArrayLike | None = None) -> Pairs:
        """Return the contacts between a node's supervoxels, (k, 2) uint64."""
        return self.edges.within(self.leaves(node, bounds=bounds))[0]

    def l2_in_chunk(self, chunk: int, at: datetime) -> Ids:
        """Return the L2 ids that were made in a chunk until a time, also those that edits replaced, sorted."""
        first, last = chunk, chunk + (1 << SEGMENT_BITS[2])
        begin, end = self.tree.base.nodes.searchsorted(np.array([first, last], dtype=np.uint64)).tolist()
        ingested = self.tree.base.nodes[begin:end].tolist() if self.tree.ingested <= to_ms(at) else []
        edited = [node for node, born in self.tree.created.items() if first <= node < last and born <= to_ms(at)]
        return np.array([*ingested, *sorted(edited)], dtype=np.uint64)

    def changes(self, node: int) -> list[datetime]:
        """Return when anything was written about a node: its making, new parents, its end. None for unknown ids."""
        ended = self.superseded_at(node)
        return [from_ms(ms) for ms in self.tree.moments(node)] + ([ended] if ended else [])

    def edited_nodes(self) -> Ids:
        """Return all nodes that edits made, of every layer, sorted."""
        return np.array(sorted(self.tree.created), dtype=np.uint64)

    # --- history

    def former(self, root: int) -> Operation | None:
        """Return the edit that made a root."""
        return self.family.made_by.get(root)

    def next(self, root: int) -> Operation | None:
        """Return the edit that ended a root."""
        return self.family.ended_by.get(root)

    def lineage(self, roots: Iterable[int], past: datetime | None = None, future: datetime | None = None) -> Descent:
        """Follow roots to the past and the future; KeyError for an unknown one."""
        return history.descent(self.family, self.created, roots, past, future)

    def delta_roots(self, past: datetime, future: datetime) -> tuple[list[int], list[int]]:
        """Return the roots that ended and those that began between two times, both inclusive."""
        return history.delta(self.operations, self.family, past, future)

    # --- edits

    def merge(self, pairs: Iterable[Pair], at: datetime, user: int, coords: Coords | None = None) -> Operation:
        """Join neurons by edges between supervoxels; edges that do not exist are made."""
        edges = _pairs(pairs)
        draft = self._draft("merge", at, user, ends=_columns(edges), coords=coords)
        return self._attempt(draft, lambda: splits.to_merge(self.tree, edges))

    def cut(self, pairs: Iterable[Pair], at: datetime, user: int, coords: Coords | None = None) -> Operation:
        """Switch exactly these edges off."""
        edges = _pairs(pairs)
        draft = self._draft("split", at, user, ends=_columns(edges), coords=coords)
        return self._attempt(draft, lambda: splits.to_cut(self.edges, edges))

    def split(
        self, sources: Sequence[int], sinks: Sequence[int], at: datetime, user: int, coords: Coords | None = None
    ) -> Operation:
        """Separate supervoxels of one root by removing as few edges as possible."""
        draft = self._draft("split", at, user, ends=(sources, sinks), coords=coords)
        return self._attempt(draft, lambda: splits.to_split(self.tree, self.edges, sources, sinks))

    def preview_split(self, sources: Sequence[int], sinks: Sequence[int]) -> tuple[list[Ids], bool]:
        """Return the parts a split would leave, the sources' and the sinks' first, and whether it is impossible."""
        return splits.preview(self.tree, self.edges, sources, sinks)

    def undo(self, operation_id: int, at: datetime, user: int) -> Operation:
        """Take an operation back."""
        return self._repeat(operation_id, at, user, inverse=True)

    def redo(self, operation_id: int, at: datetime, user: int) -> Operation:
        """Do an operation that was undone once more."""
        return self._repeat(operation_id, at, user, inverse=False)

    def _repeat(self, operation_id: int, at: datetime, user: int, *, inverse: bool) -> Operation:
        if not 0 < operation_id <= len(self.operations) or not self.operations[operation_id - 1].succeeded:
            raise EditRefused(f"Operation {operation_id} does not exist or failed.")
        before = self.operations[operation_id - 1]
        active = (before.kind == "merge") != inverse
        kind: Kind = "merge" if active else "split"
        ends, coords = (before.source_ids, before.sink_ids), (before.source_coords, before.sink_coords)
        draft = self._draft(kind, at, user, ends=ends, coords=coords)
        draft = replace(draft, undoes=operation_id) if inverse else replace(draft, redoes=operation_id)
        return self._attempt(draft, lambda: splits.to_switch(self.edges, before.edges, active=active))

    def _draft(self, kind: Kind, at: datetime, user: int, *, ends: Ends, coords: Coords | None) -> Operation:
        self._check_time(at)
        source_coords, sink_coords = coords or ((), ())
        return Operation(
            id=len(self.operations) + 1,
            kind=kind,
            timestamp=from_ms(to_ms(at)),
            user=user,
            source_ids=tuple(map(int, ends[0])),
            sink_ids=tuple(map(int, ends[1])),
            source_coords=_positions(source_coords),
            sink_coords=_positions(sink_coords),
        )

    def _check_time(self, at: datetime) -> None:
        before = self.operations[-1].timestamp if self.operations else from_ms(self.tree.ingested)
        if to_ms(at) <= to_ms(before):
            raise EditRefused(f"An edit at {at.isoformat()} is not after {before.isoformat()}, the last change.")

    def _attempt(self, draft: Operation, plan: Callable[[], list[Pair]]) -> Operation:
        try:
            toggled = plan()
        except EditRefused as refusal:  # failed operations stay in the log
            self.operations.append(replace(draft, status=Status.EXCEPTION, exception=str(refusal)))
            raise
        for one, other in toggled:
            self.edges.switch(one, other, active=draft.kind == "merge")
        change = rewire(self.tree, self.edges, toggled, to_ms(draft.timestamp))
        done = replace(draft, edges=tuple(toggled), old_roots=change.old_roots, new_roots=change.new_roots)
        self.operations.append(done)
        self.family.record(done, change.links)
        return done

    def _climb(self, ids: Ids, at: int, stop_layer: int) -> Ids:
        if len(ids) <= _FEW:
            found = [self.tree.ancestor(node, at, stop_layer) for node in ids.tolist()]
            return np.array(found, dtype=np.uint64)
        unique, back = np.unique(ids, return_inverse=True)
        return self.tree.climb(unique, at, stop_layer)[back]

    def _is_latest(self, node: int, root: int, at: int) -> bool:
        if node >> 56 <= 1 or root >> 56 != layout.N_LAYERS:
            return False
        born, ended = self.tree.born(node), self.family.ended_by.get(root)
        return born is not None and born < at and (ended is None or to_ms(ended.timestamp) >= at)


def _pairs(pairs: Iterable[Pair]) -> list[Pair]:
    return [(int(one), int(other)) for one, other in pairs]


def _columns(pairs: list[Pair]) -> Ends:
    return [one for one, _ in pairs], [other for _, other in pairs]


def _positions(coords: Sequence[Position]) -> tuple[Position, ...]:
    return tuple(cast("Position", tuple(map(float, position))) for position in coords)
