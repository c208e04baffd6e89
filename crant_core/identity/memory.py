"""What a chunkedgraph never tells otherwise: how roots ended, and their supervoxels, kept on disk."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Collection, Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import numpy as np

from crant_core.caching import IdStore, id_store
from crant_core.sources.chunkedgraph_lineage import Lineage

if TYPE_CHECKING:
    from crant_core.sources.chunkedgraph import ChunkedGraphSource
    from crant_core.sources.chunkedgraph_requests import Ids

_ENDS, _SUPERVOXELS = "ends", "supervoxels"
_SEAL = struct.Struct("<4sI")  # the format's name, checksum of what follows
_FORMAT = {_ENDS: b"end1", _SUPERVOXELS: b"svx1"}
_LIFE = struct.Struct("<qq")  # birth, the operation that ended it (-1: not told)
_HEIR = np.dtype([("id", "<u8"), ("born", "<i8")])
_ID = np.dtype("<u8")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_UNTOLD = -1


class Memory:
    """What is remembered about the roots of one chunkedgraph; for all processes, across restarts.

    A root's end is remembered with all its heirs at once, for an edit makes all of them at one moment and nothing adds
    to them later. That a root still holds is never remembered, nor what never existed: both may change. Bytes that are
    damaged or not ours count as not there.

    Parameters
    ----------
    store : IdStore or None
        None remembers nothing.
    name : str
        What distinguishes the chunkedgraph from all others: its server and table.
    fresh : bool
        Remember nothing from before, but keep what comes.
    """

    def __init__(self, store: IdStore | None, name: str, fresh: bool = False) -> None:
        self._store = store
        self._name = name
        self._fresh = fresh

    @classmethod
    def of(cls, graph: ChunkedGraphSource, fresh: bool = False) -> Memory:
        """Return the memory of a chunkedgraph, in the store that the settings name, if its history is for ever."""
        return cls(id_store() if graph.lasting else None, graph.name, fresh)

    def lives(self, roots: Collection[int]) -> Lineage:
        """Return how roots ended.

        Returns
        -------
        Lineage
            Of the roots that are remembered: births, all heirs with their births, and operations. The others are not
            in it, unless as heirs.
        """
        found = Lineage()
        for root, data in self._get(_ENDS, roots).items():
            _read_end(found, root, data)
        return found

    def keep_lives(self, lineage: Lineage) -> None:
        """Remember the ends of the roots all of whose heirs are known."""
        ended = lineage.whole & lineage.heirs.keys()
        self._put(_ENDS, {root: _write_end(lineage, root) for root in ended})

    def supervoxels(self, roots: Collection[int]) -> dict[int, Ids]:
        """Return the supervoxels, each (n,) uint64, of the roots of which they are remembered."""
        found = self._get(_SUPERVOXELS, roots)
        return {root: np.frombuffer(data, _ID).astype(np.uint64) for root, data in found.items()}

    def keep_supervoxels(self, supervoxels: Mapping[int, Ids]) -> None:
        """Remember the supervoxels of roots; roots without any do not exist yet, and are not remembered."""
        kept = {root: ids.astype(_ID).tobytes() for root, ids in supervoxels.items() if len(ids)}
        self._put(_SUPERVOXELS, kept)

    def _get(self, kind: str, roots: Collection[int]) -> dict[int, bytes]:
        kept = {} if self._fresh or self._store is None else self._store.get(self._space(kind), roots)
        opened = {root: _open(kind, data) for root, data in kept.items()}
        return {root: data for root, data in opened.items() if data}

    def _put(self, kind: str, values: Mapping[int, bytes]) -> None:
        if self._store is None:
            return
        sealed = {int(root): _SEAL.pack(_FORMAT[kind], zlib.crc32(data)) + data for root, data in values.items()}
        self._store.put(self._space(kind), sealed)

    def _space(self, kind: str) -> str:
        return f"{kind} {self._name}"


def _open(kind: str, data: bytes) -> bytes | None:
    """Return what was sealed; None if it is damaged, or another program's."""
    if len(data) < _SEAL.size:
        return None
    name, checksum = _SEAL.unpack_from(data)
    content = data[_SEAL.size :]
    return content if name == _FORMAT[kind] and checksum == zlib.crc32(content) else None


def _write_end(lineage: Lineage, root: int) -> bytes:
    heirs = [(heir, _micros(lineage.born[heir])) for heir in sorted(lineage.heirs[root])]
    head = _LIFE.pack(_micros(lineage.born[root]), lineage.operations.get(root, _UNTOLD))
    return head + np.array(heirs, dtype=_HEIR).tobytes()


def _read_end(found: Lineage, root: int, data: bytes) -> None:
    born, operation = _LIFE.unpack_from(data)
    found.born[root] = _moment(born)
    for heir, heir_born in np.frombuffer(data, _HEIR, offset=_LIFE.size).tolist():
        found.born[heir] = _moment(heir_born)
        found.link(root, heir)
    found.whole.add(root)
    if operation != _UNTOLD:
        found.operations[root] = operation


def _micros(moment: datetime) -> int:
    return (moment - _EPOCH) // _MICROSECOND


def _moment(micros: int) -> datetime:
    return _EPOCH + micros * _MICROSECOND
