"""The raw supervoxels of a dataset, read by storage chunk: each is downloaded once, however much is asked of it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from crant_core.errors import InvalidInput, OutOfBounds
from crant_core.sources.chunks import Block, ChunkCache, Result, grouped, in_threads
from crant_core.sources.failures import translated
from crant_core.sources.volumes import Scale, cutout, scale_of

if TYPE_CHECKING:
    from crant_core.sources.cave import CaveSource

THREADS = 8  #: chunks on their way at a time, per call

_chunks = ChunkCache()


def forget() -> None:
    """Empty the process's store of decoded chunks, so that the next ones come from storage."""
    _chunks.clear()


class Watershed:
    """The supervoxel volume of one dataset.

    It is the same at all times: edits join supervoxels, they do not change them. All methods may be called from many
    threads; they share no state with the volume that users see (`CaveSource`'s), and nobody's `mip` is changed.

    Source: the segmentation's bucket, one request a storage chunk (up to three where storage is sharded).

    Parameters
    ----------
    source : CaveSource
    """

    def __init__(self, source: CaveSource) -> None:
        self._source = source
        self._lock = threading.Lock()
        self._volumes: dict[int, Any] = {}

    def volume(self, mip: int = 0) -> Any:
        """Return this object's own volume of one scale; leave it as it is.

        Raises
        ------
        InvalidInput
            There is no such scale.
        SourceError
        """
        with self._lock:
            if mip not in self._volumes:
                self._volumes[mip] = self._opened(mip)
            return self._volumes[mip]

    def _opened(self, mip: int) -> Any:
        with translated(self._source.dataset.server):
            info = self._source.client().chunkedgraph.segmentation_info
        scale_of(info, mip)  # cloud-volume takes -1 for the coarsest
        return self._source.new_volume(mip=int(mip))

    def scale(self, mip: int = 0) -> Scale:
        """Return resolution, corners and storage chunks at one scale.

        Raises
        ------
        InvalidInput
            There is no such scale.
        SourceError
        """
        return scale_of(self.volume(mip).info, mip)

    def at(self, points: ArrayLike, mip: int = 0, *, threads: int = THREADS, progress: bool = False) -> Block:
        """Return the supervoxel at each point.

        Parameters
        ----------
        points : array_like, (n, 3)
            nm.
        mip : int
            Scale to read.
        threads : int
            Chunks on their way at a time.
        progress : bool
            Whether to show a bar if it takes longer than two seconds.

        Returns
        -------
        ndarray, (n,) uint64
            In input order; 0 for background and for points outside the volume.

        Raises
        ------
        InvalidInput
            A coordinate is not a finite number.
        DataMissing
            Storage lacks a chunk.
        SourceError
        """
        places = _finite(points)
        scale = self.scale(mip)
        voxels, inside = scale.voxels_at(places)
        found = np.zeros(len(places), dtype=np.uint64)
        chunks, members = grouped(scale.chunks_of(voxels), np.flatnonzero(inside))

        def pick(number: int, low: NDArray[np.int64], block: Block) -> None:
            mine = members[number]
            found[mine] = block[tuple((voxels[mine] - low).T)]

        self.visit(chunks, pick, mip, threads=threads, progress=progress)
        return found

    def box(
        self, low: ArrayLike, high: ArrayLike, mip: int = 0, *, threads: int = THREADS, progress: bool = False
    ) -> Block:
        """Return the supervoxels in a box.

        Parameters
        ----------
        low, high : array_like of int, (3,)
            Corners, voxels of this scale; `high` is outside.
        mip, threads, progress
            As for `at`.

        Returns
        -------
        ndarray, (x, y, z) uint64
            The caller's own.

        Raises
        ------
        InvalidInput
            The box is empty.
        OutOfBounds
        DataMissing
            Storage lacks a chunk; its voxels are never 0 instead.
        SourceError
        """
        scale = self.scale(mip)
        begin, end = np.asarray(low, dtype=np.int64), np.asarray(high, dtype=np.int64)
        _check_box(scale, begin, end)
        found = np.empty(end - begin, dtype=np.uint64, order="F")

        def copy(_: int, start: NDArray[np.int64], block: Block) -> None:
            first, last = np.maximum(start, begin), np.minimum(start + block.shape, end)
            found[_slices(first - begin, last - begin)] = block[_slices(first - start, last - start)]

        self.visit(scale.chunks_in(begin, end), copy, mip, threads=threads, progress=progress)
        return found

    def visit(
        self,
        chunks: NDArray[np.int64],
        use: Callable[[int, NDArray[np.int64], Block], Result],
        mip: int = 0,
        *,
        threads: int = THREADS,
        progress: bool = False,
    ) -> list[Result]:
        """Do something with each of many storage chunks, a few at a time, so that memory stays bounded.

        Parameters
        ----------
        chunks : ndarray, (k, 3)
            Indices of storage chunks.
        use : callable
            Gets a chunk's place in `chunks`, its low corner (voxels) and its supervoxels (read-only); runs in threads.
        mip, threads, progress
            As for `at`.

        Returns
        -------
        list
            What `use` returned, in the order of `chunks`.

        Raises
        ------
        DataMissing
            Storage lacks a chunk; the others that wait are not fetched any more.
        SourceError
        """
        volume, scale = self.volume(mip), self.scale(mip)

        def visit_one(number: int) -> Result:
            low, high = scale.chunk_box(chunks[number])
            return use(number, low, self._chunk(volume, mip, low, high))

        return in_threads(visit_one, len(chunks), threads, progress)

    def _chunk(self, volume: Any, mip: int, low: NDArray[np.int64], high: NDArray[np.int64]) -> Block:
        key = (self._source.dataset.server, volume.meta.cloudpath, mip, *low.tolist())
        return _chunks.get(key, lambda: np.asarray(cutout(volume, low.tolist(), high.tolist()), dtype=np.uint64))


def _finite(points: ArrayLike) -> NDArray[np.float64]:
    places = np.asarray(points, dtype=np.float64).reshape(-1, 3)
    wrong = np.flatnonzero(~np.isfinite(places).all(axis=1))
    if len(wrong):
        message = (
            f"{len(wrong)} of {len(places)} points have a coordinate that is no finite number, first row {wrong[0]}"
        )
        raise InvalidInput(message, value=places[wrong[0]].tolist(), hint="leave such rows out")
    return places


def _check_box(scale: Scale, low: NDArray[np.int64], high: NDArray[np.int64]) -> None:
    box = f"{low.tolist()} to {high.tolist()}"
    if not (low < high).all():
        raise InvalidInput(f"the box {box} is empty", value=box)
    if (low < scale.low).any() or (high > scale.high).any():
        message = f"the box {box} (voxels) is not inside {list(scale.low)} to {list(scale.high)}"
        raise OutOfBounds(message, value=box, hint="the segmentation covers less than the images")


def _slices(low: NDArray[np.int64], high: NDArray[np.int64]) -> tuple[slice, ...]:
    return tuple(slice(int(begin), int(end)) for begin, end in zip(low, high, strict=True))
