"""A source in memory: the fake every test may use, held to the same contract as the real one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from crant_core.datasets import Dataset
from crant_core.errors import MeshNotFound, VersionNotFound
from crant_core.mesh import Mesh
from crant_core.times import At, TimeBase

_DATASET = Dataset(name="memory", datastack="memory", server="http://memory.invalid", viewer_resolution=(8, 8, 42))


@dataclass
class MemorySource:
    """A dataset given as plain data.

    Attributes
    ----------
    meshes : mapping of int to Mesh
        Surfaces by root id.
    created, superseded : mapping of int to datetime
        When a root came to be and when an edit replaced it. As on the real server, a root replaced at a moment is
        still current at that very moment.
    versions : mapping of int to datetime
        Materialization versions.
    calls : list of str
        The methods called so far, so that a test can count requests.
    """

    dataset: Dataset = _DATASET
    meshes: Mapping[int, Mesh] = field(default_factory=dict)
    created: Mapping[int, datetime] = field(default_factory=dict)
    superseded: Mapping[int, datetime] = field(default_factory=dict)
    versions: Mapping[int, datetime] = field(default_factory=dict)
    layers: int = 8
    calls: list[str] = field(default_factory=list)

    def resolve_time(self, at: At) -> TimeBase:
        """Turn what was asked for into one UTC timestamp."""
        self.calls.append("resolve_time")
        if at.timestamp is not None:
            return TimeBase(at.text, at.timestamp)
        if at.version is None and not at.latest_version:
            return TimeBase(at.text, datetime.now(UTC))
        version = max(self.versions, default=0) if at.version is None else at.version
        if version not in self.versions:
            raise VersionNotFound(f"{self.dataset.name} has no materialization version {version}", value=version)
        return TimeBase(at.text, self.versions[version], version)

    def root_layer(self) -> int:
        """Return the layer of root ids."""
        self.calls.append("root_layer")
        return self.layers

    def is_latest(self, root_ids: Sequence[int], timestamp: datetime) -> list[bool]:
        """Say for each root whether it is current."""
        self.calls.append("is_latest")
        return [self._is_latest(root_id, timestamp) for root_id in root_ids]

    def _is_latest(self, root_id: int, timestamp: datetime) -> bool:
        created, superseded = self.created.get(root_id), self.superseded.get(root_id)
        return created is not None and created <= timestamp and (superseded is None or timestamp <= superseded)

    def mesh(self, root_id: int) -> Mesh:
        """Return a neuron's surface."""
        self.calls.append("mesh")
        if root_id not in self.meshes:
            raise MeshNotFound(f"{self.dataset.name} has no mesh for {root_id}", value=root_id)
        return self.meshes[root_id]
