"""The chunkedgraph in memory: nodes, when each was created, and what contains it.

Semantics are those measured on PyChunkedGraph 2.21.1; where they look odd they are the real server's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from itertools import pairwise

from crant_core.ids import layer_of
from crant_core.sandbox import layout, surfaces, world


@dataclass
class Graph:
    """A hierarchy of nodes.

    Attributes
    ----------
    created : dict of int to datetime
        Every node and when it came to be.
    parents : dict of int to int
        Each node's parent. Layers may be skipped.
    """

    created: dict[int, datetime] = field(default_factory=dict)
    parents: dict[int, int] = field(default_factory=dict)

    def add_chain(self, nodes: Sequence[int], created: datetime) -> None:
        """Add nodes of which each is the next one's child."""
        self.created.update(dict.fromkeys(nodes, created))
        self.parents.update(pairwise(nodes))

    def roots(self, ids: Sequence[int], at: datetime, stop_layer: int = layout.N_LAYERS) -> list[int]:
        """Return the ancestors at or above `stop_layer`.

        Ids already there are echoed. An id that resolves to nothing gives 0, but when none of them
        resolves they all come back unchanged.
        """
        found = [self._ancestor(node, at, stop_layer) for node in ids]
        return found if any(found) else list(ids)

    def _ancestor(self, node: int, at: datetime, stop_layer: int) -> int:
        while layer_of(node) < stop_layer:
            node = self.parents.get(node, 0)
            if not self.exists(node, at):
                return 0
        return node

    def exists(self, node: int, at: datetime) -> bool:
        """Say whether a node had been created by then."""
        created = self.created.get(node)
        return created is not None and created <= at

    def is_latest(self, node: int, at: datetime) -> bool:
        """Say whether a node is current; supervoxels never are."""
        return layer_of(node) > 1 and self.exists(node, at)


@cache
def demo_graph() -> Graph:
    """Build the sandbox's graph: per neuron one supervoxel and one L2 chunk, where its first vertex lies."""
    graph = Graph()
    for neuron in world.NEURONS:
        graph.add_chain(
            [supervoxel_of(neuron), _node_at_anchor(2, neuron), neuron.root_id],
            neuron.created,
        )
    return graph


def supervoxel_of(neuron: world.Neuron) -> int:
    """Return the id of the neuron's supervoxel."""
    return _node_at_anchor(1, neuron)


def _node_at_anchor(layer: int, neuron: world.Neuron) -> int:
    x, y, z = surfaces.read_surface(neuron.body_id).vertices[0].tolist()
    segment = world.NEURONS.index(neuron) + 1  # counted from 1, as the real servers do
    return layout.encode_id(layer, layout.chunk_at((x, y, z)), segment)
