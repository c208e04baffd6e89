"""The port through which science reads data. Adapters: `cave.CaveSource`, and the fake `testing.MemorySource`."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Protocol

from crant_core.datasets import Dataset
from crant_core.times import At, TimeBase

if TYPE_CHECKING:
    from crant_core.mesh import Mesh


class Source(Protocol):
    """One dataset, read at a point in time. All methods may raise `SourceError` and its subclasses."""

    dataset: Dataset

    def resolve_time(self, at: At) -> TimeBase:
        """Turn what was asked for into one UTC timestamp.

        Raises
        ------
        VersionNotFound
            The dataset has no such materialization version.
        """

    def root_layer(self) -> int:
        """Return the chunkedgraph's top layer, the layer of root ids."""

    def is_latest(self, root_ids: Sequence[int], timestamp: datetime) -> list[bool]:
        """Say for each root, in input order, whether it is current at `timestamp`; unknown ids are not."""

    def mesh(self, root_id: int) -> Mesh:
        """Fetch a neuron's surface, vertices in nm.

        Raises
        ------
        MeshNotFound
        """
