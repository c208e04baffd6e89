"""The voxels a neuron consists of."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from crant_core.access import source_of
from crant_core.datasets import Dataset
from crant_core.errors import InvalidId
from crant_core.identity.supervoxels import roots_to_supervoxels
from crant_core.ids import layer_of
from crant_core.parsing import root_ids_of
from crant_core.segmentation.chunks import chunk_positions, chunks_to_nm
from crant_core.segmentation.places import box_nm, voxel_box
from crant_core.segmentation.thinning import thinned
from crant_core.sources.cave import CaveSource
from crant_core.sources.volumes import Scale
from crant_core.sources.watershed import THREADS, Watershed

Corners = tuple[NDArray[np.int64], NDArray[np.int64]]


def get_voxels(  # noqa: PLR0917 - the documented order
    x: Any,
    mip: int = 0,
    bounds: Any = None,
    sv_map: bool = False,
    thin: bool = False,
    use_l2_chunks: bool = True,
    threads: int = 1,
    progress: bool = True,
    *,
    dataset: str | Dataset | None = None,
) -> NDArray[np.uint32] | tuple[NDArray[np.uint32], NDArray[np.uint64]]:
    """Fetch the voxels of a neuron.

    A root has the same supervoxels at all times, so old roots work as well as current ones. Storage is read chunk by
    chunk: memory grows with the neuron, not with the box. At the finest scale a whole neuron is tens of thousands of
    chunks; give `bounds`, or a higher `mip`.

    Source: `POST /segmentation/api/v1/table/{table}/node/leaves_many`, whose answer never changes and is kept on disk,
    then the segmentation's bucket; with `thin` see there.

    Parameters
    ----------
    x : int
        One root id; a string of digits, and a neuron by its id, will do.
    mip : int
        Scale to fetch; 0 is the finest.
    bounds : array_like, (3, 2) or (2, 3), optional
        Box in nm; all voxels that it touches are looked at. Left out, the whole neuron.
    sv_map : bool
        Return the voxels' supervoxels too.
    thin : bool
        Remove voxels where parts of the neuron touch that the L2 graph does not link: a self-touching neurite comes
        apart. Touching is sharing a face, an edge or a corner. A supervoxel that would be gone altogether, as far as it
        is in `bounds`, stays whole, so a neuron never vanishes. Costs more requests (`GET …/node/{root}/lvl2_graph`,
        `…/leaves` and `POST …/leaves_many`), and memory for the supervoxels.
    use_l2_chunks : bool
        Download only storage where the neuron has L2 chunks. If False, all of the box; the voxels are the same.
    threads : int
        Storage chunks on their way at a time.
    progress : bool
        Whether to show a bar if it takes longer than two seconds.
    dataset : str or Dataset, optional
        Left out, the default dataset.

    Returns
    -------
    voxels : ndarray, (n, 3) uint32
        Voxels of that scale along x, y, z, in the dataset's frame: times the scale's resolution (CRANT, mip 0: 16 × 16
        × 42 nm) they are low corners in nm. All of them are in `bounds`, each once. Empty if the neuron is not there.
    sv_map : ndarray, (n,) uint64
        Supervoxel of each voxel. Only if `sv_map`.

    Raises
    ------
    OutOfBounds
        `bounds` are not inside the segmentation, which covers less than the images.
    InvalidId
        Not one root id of this dataset.
    InvalidInput
        No box, or no such scale.
    DataMissing
        Storage lacks a chunk, or forbids it.
    SourceError
    """
    source = source_of(dataset)
    scale = source.watershed.scale(mip)
    box = (np.array(scale.low), np.array(scale.high))
    if bounds is not None:
        box = voxel_box(box_nm(bounds, "nm", source.dataset), scale)
    root, supervoxels = members_of(source, x)
    around = _grown(box, scale) if thin else box
    chunks = chunks_of(source.watershed, supervoxels, around, mip, only_l2=use_l2_chunks)
    found, owners = voxels_in(
        source.watershed, supervoxels, chunks, around, mip, owners=sv_map or thin, threads=threads, progress=progress
    )
    if thin:
        kept = thinned(source, root, found, owners) & ((found >= box[0]) & (found < box[1])).all(axis=1)
        found, owners = found[kept], owners[kept]
    return (found, owners) if sv_map else found


def members_of(source: CaveSource, x: Any) -> tuple[int, NDArray[np.uint64]]:
    """Read one root id, and list its supervoxels, sorted.

    Raises
    ------
    InvalidId
        It is none, or of another layer, or unknown to this dataset.
    """
    roots = root_ids_of(x)
    if len(roots) != 1:
        raise InvalidId(f"one root id is needed, these are {len(roots)}", value=len(roots))
    root = int(roots[0])
    if layer_of(root) != source.graph.root_layer():
        hint = "root ids are those of whole neurons, not of L2 chunks or supervoxels"
        raise InvalidId(f"{root} is no root id", value=root, hint=hint)
    found = np.sort(roots_to_supervoxels(root, progress=False, dataset=source)[root])
    if not len(found):
        raise InvalidId(f"{source.dataset.name} has no root {root}", value=root, hint="is it of another dataset?")
    return root, found


def voxels_in(
    watershed: Watershed,
    supervoxels: NDArray[np.uint64],
    chunks: NDArray[np.int64],
    box: Corners,
    mip: int = 0,
    *,
    owners: bool = False,
    threads: int = THREADS,
    progress: bool = False,
) -> tuple[NDArray[np.uint32], NDArray[np.uint64]]:
    """Collect the voxels of some supervoxels, sorted, from storage chunks, as far as they are in a box.

    Returns
    -------
    voxels : ndarray, (n, 3) uint32
        By storage chunk, in each by x, y, z.
    owners : ndarray, (n,) uint64
        Their supervoxels; empty if not asked for.
    """
    import fastremap

    def collect(
        _: int, low: NDArray[np.int64], block: NDArray[np.uint64]
    ) -> tuple[NDArray[np.uint32], NDArray[np.uint64]]:
        first, last = np.maximum(box[0] - low, 0), np.minimum(box[1] - low, block.shape)
        part = block[tuple(slice(*ends) for ends in zip(first, last, strict=True))]
        labels = fastremap.unique(part)
        mine = labels[among(labels, supervoxels)]
        mask = fastremap.mask_except(part, mine.tolist()) != 0  # one pass, however many there are
        voxels = (np.argwhere(mask) + (low + first)).astype(np.uint32)
        return voxels, part[mask] if owners else np.empty(0, dtype=np.uint64)

    parts = watershed.visit(chunks, collect, mip, threads=max(1, threads), progress=progress)
    empty = np.empty((0, 3), dtype=np.uint32), np.empty(0, dtype=np.uint64)
    voxels, whose = zip(empty, *parts, strict=True)
    return np.concatenate(voxels), np.concatenate(whose)


def among(ids: NDArray[np.uint64], known: NDArray[np.uint64]) -> NDArray[np.bool_]:
    """Say which ids are among others; these are sorted and at least one. Many times faster than `isin` for few ids."""
    place = np.minimum(np.searchsorted(known, ids), len(known) - 1)
    return np.asarray(known[place] == ids)


def _grown(box: Corners, scale: Scale) -> Corners:
    return np.maximum(box[0] - 1, scale.low), np.minimum(box[1] + 1, scale.high)


def chunks_of(
    watershed: Watershed, supervoxels: NDArray[np.uint64], box: Corners, mip: int = 0, *, only_l2: bool = True
) -> NDArray[np.int64]:
    """List the storage chunks to read: those of the neuron's L2 chunks, or of the box around these, in `box`."""
    scale = watershed.scale(mip)
    low, high = _l2_boxes(watershed.volume(0), supervoxels, scale)
    if not only_l2:
        low, high = low.min(axis=0, keepdims=True), high.max(axis=0, keepdims=True)
    low, high = np.maximum(low, box[0]), np.minimum(high, box[1])
    inside = (low < high).all(axis=1)
    parts = [scale.chunks_in(begin, end) for begin, end in zip(low[inside], high[inside], strict=True)]
    return np.unique(np.concatenate([np.empty((0, 3), dtype=np.int64), *parts]), axis=0)


def _l2_boxes(volume: Any, supervoxels: NDArray[np.uint64], scale: Scale) -> Corners:
    """Return the corners of all L2 chunks that supervoxels are in, (k, 3) each, voxels of a scale."""
    chunks = np.unique(chunk_positions(supervoxels, volume), axis=0)
    low = np.floor(chunks_to_nm(chunks, volume) / scale.resolution)
    high = np.ceil(chunks_to_nm(chunks + 1, volume) / scale.resolution)
    return low.astype(np.int64), high.astype(np.int64)
