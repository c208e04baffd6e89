"""Who asks about which neurons, and when: one source and one time for everything in a call."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from crant_core import times
from crant_core.access import source_of
from crant_core.errors import InvalidId, InvalidInput
from crant_core.parsing import root_ids_of
from crant_core.sources.chunkedgraph_requests import layers_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from crant_core.sources.cave import CaveSource
    from crant_core.times import TimeBase, When

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Neurons:
    """Neurons as they were asked for, and the roots that they are at the time, both (n,) int64."""

    asked: NDArray[np.int64]
    roots: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Question:
    """A dataset at one time."""

    source: CaveSource
    base: TimeBase
    update: bool = True
    partial: dict[str, float] = field(default_factory=dict)  #: ids that were several roots then: share in the one taken

    @classmethod
    def of(cls, dataset: Any, materialization: When, *, update: bool) -> Question:
        """Connect to a dataset, and resolve the time once.

        Raises
        ------
        UnknownDataset
        InvalidTime
        VersionNotFound
        SourceError
        """
        source = source_of(dataset)
        return cls(source, times.resolve(source, materialization), update)

    @property
    def attributes(self) -> dict[str, Any]:
        """What is noted on results."""
        partial = {"partial": dict(self.partial)} if self.partial else {}
        return self.base.attrs(self.source.dataset.name) | partial

    def neurons(self, *given: Any) -> list[Neurons]:
        """Read neurons in any form people have them, and update all of them at once.

        Parameters
        ----------
        *given : ids, neurons or criteria
            See `root_ids_of`. Criteria that have a method `at(time)` are asked for their roots at the time.

        Raises
        ------
        InvalidId
            Something is no id, or an id of another layer.
        InvalidInput
            Criteria that say nothing.
        NoMatchesError
        """
        read: dict[int, NDArray[np.int64]] = {}
        for one in given:
            if id(one) not in read:  # the same criteria on both sides are looked up once
                read[id(one)] = self._read(one)
        asked = [read[id(one)] for one in given]
        ids = np.concatenate(asked)
        self._check_layer(ids)
        roots = self._updated(ids) if self.update and len(ids) else ids
        ends = np.cumsum([len(each) for each in asked])[:-1]
        return [Neurons(old, new) for old, new in zip(asked, np.split(roots, ends), strict=True)]

    def _read(self, given: Any) -> NDArray[np.int64]:
        if getattr(given, "is_empty", False):
            raise InvalidInput("the criteria say nothing, so they mean all neurons", hint="name at least one field")
        at = getattr(given, "at", None) if hasattr(given, "get_roots") else None
        return root_ids_of(at(self.base) if callable(at) else given)

    def _check_layer(self, ids: NDArray[np.int64]) -> None:
        wrong = ids[layers_of(ids.astype(np.uint64)) != self.source.graph.root_layer()] if len(ids) else ids
        if len(wrong):
            layer = self.source.graph.root_layer()
            hint = f"a root id of {self.source.dataset.name} has layer {layer}, this one {int(wrong[0]) >> 56}"
            raise InvalidId(f"{wrong[0]} is no root id", value=int(wrong[0]), hint=hint)

    def _updated(self, ids: NDArray[np.int64]) -> NDArray[np.int64]:
        from crant_core.identity.updates import update_ids

        unique, place = np.unique(ids, return_inverse=True)
        found = update_ids(unique, timestamp=self.base, dataset=self.source)
        share = found["confidence"].to_numpy()
        self._report(unique[share == 0], "are unknown: they are no roots at %s and nothing became of them")
        self._report(unique[(share > 0) & (share < 1)], "were several roots at %s: the largest stands for them")
        self.partial.update({str(old): float(part) for old, part in zip(unique, share, strict=True) if 0 < part < 1})
        return found["new_id"].to_numpy(np.int64)[place]

    def _report(self, ids: NDArray[np.int64], what: str) -> None:
        if len(ids):
            _log.warning(f"%d ids {what}, such as %d", len(ids), self.base.timestamp, ids[0])
