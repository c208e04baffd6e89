"""What the L2 cache knows of neurons, as tables."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from crant_core import times
from crant_core.access import source_of
from crant_core.datasets import Dataset
from crant_core.l2.chunks import BLOCK, Features, chunks_of, column, features_of, first_axes
from crant_core.meshes.bulk import roots_of
from crant_core.sources.chunkedgraph_requests import Ids
from crant_core.units import NM_PER_UM, nm_to_voxels

if TYPE_CHECKING:
    import pandas as pd

_WHERE, _SIZE, _AREA, _RADIUS, _AXES = "rep_coord_nm", "size_nm3", "area_nm2", "max_dt_nm", "pca"


def get_l2_info(
    neurons: Any, progress: bool = True, max_threads: int = 4, *, dataset: str | Dataset | None = None
) -> pd.DataFrame:
    """Sum up what the L2 cache knows of neurons.

    Source: `POST /segmentation/api/v1/table/{table}/node/leaves_many` for 1,000 neurons at a time, and
    `POST /l2cache/api/v1/table/{table}/attributes` for 2,000 chunks at a time.

    Parameters
    ----------
    neurons : ids or neurons
        Root ids as integers or strings, one or many; navis neurons; anything with `get_roots()`. Old roots work too.
    progress : bool
        Whether to show a bar if it takes longer than two seconds.
    max_threads : int
        Requests to the L2 cache on their way at a time.
    dataset : str or Dataset, optional
        Name or alias; left out, the default dataset.

    Returns
    -------
    pandas.DataFrame
        A row for each neuron, in input order, repetitions kept:

        * `root_id`: int64
        * `l2_chunks`: how many L2 chunks it consists of
        * `chunks_missing`: how many of them the L2 cache does not know (yet); the sums are without these
        * `area_um2`: surface, µm²; where chunks cut the neuron is no surface
        * `size_um3`: volume, µm³
        * `length_um`: sum of the chunks' largest inner radii, µm; a lower bound for the cable's length
        * `bounds_nm`: `[x0, x1, y0, y1, z0, z1]` of the chunks' representative points, int, nm

        The sums are NaN, and the bounds None, if the L2 cache knows none of a neuron's chunks. `attrs` name dataset and
        time: of the answer, because the L2 cache grows.

    Raises
    ------
    InvalidId
        Something is no root id.
    NotARoot
        The dataset has no such root.
    SourceError
    """
    import pandas as pd

    source = source_of(dataset)
    base = times.resolve(source, None)
    roots = roots_of(source, neurons)
    chunks = chunks_of(source, roots, progress=progress)
    wanted = [_WHERE, _SIZE, _AREA, _RADIUS]
    features = features_of(source, chunks, wanted, threads=max_threads, progress=progress)
    rows = {root: _summary(features, ids) for root, ids in chunks.items()}
    names = ["l2_chunks", "chunks_missing", "area_um2", "size_um3", "length_um", "bounds_nm"]
    table = pd.DataFrame([rows[root] for root in roots], columns=names)
    kinds = {"l2_chunks": "int64", "chunks_missing": "int64", "bounds_nm": "object"}
    table = table.astype(kinds | dict.fromkeys(names[2:5], "float64"))
    table.insert(0, "root_id", np.array(roots, dtype=np.int64))
    table.attrs |= base.attrs(source.dataset.name)
    return table


def _summary(features: Features, ids: Ids) -> tuple[int, int, float, float, float, list[int] | None]:
    places = column(features, ids, _WHERE)
    known = np.isfinite(places[:, 0])
    units = ((_AREA, NM_PER_UM**2), (_SIZE, NM_PER_UM**3), (_RADIUS, NM_PER_UM))
    area, size, length = (_sum(column(features, ids, name)) / unit for name, unit in units)
    return len(ids), int((~known).sum()), area, size, length, _bounds(places[known])


def _sum(values: NDArray[np.float64]) -> float:
    return float(np.nansum(values)) if np.isfinite(values).any() else np.nan


def _bounds(places: NDArray[np.float64]) -> list[int] | None:
    if not len(places):
        return None
    return [int(end) for low, high in zip(places.min(axis=0), places.max(axis=0), strict=True) for end in (low, high)]


def get_l2_chunk_info(
    neurons: Any, progress: bool = True, chunk_size: int = BLOCK, *, dataset: str | Dataset | None = None
) -> pd.DataFrame:
    """List the L2 chunks of neurons: where they are, how large, and which way they run.

    Source: as `get_l2_info`.

    Parameters
    ----------
    neurons : ids or neurons
        As in `get_l2_info`.
    progress : bool
        Whether to show a bar if it takes longer than two seconds.
    chunk_size : int
        L2 chunks per request to the L2 cache; four requests are on their way at a time.
    dataset : str or Dataset, optional
        Name or alias; left out, the default dataset.

    Returns
    -------
    pandas.DataFrame
        A row for each chunk that the L2 cache knows, by neuron in input order (repeated if it is), in each by L2 id:

        * `root_id`, `l2_id`: int64
        * `x`, `y`, `z`: a point inside, int64, voxels of the dataset's viewer (CRANT: 8 × 8 × 42 nm)
        * `vec_x`, `vec_y`, `vec_z`: the first principal axis, of length 1, in nm space; NaN for chunks of a few voxels,
          which have none
        * `size_nm3`: volume, nm³

        `attrs["chunks_missing"]` is how many chunks the L2 cache does not know, and `attrs` name dataset and time.

    Raises
    ------
    InvalidId
    InvalidParameters
        `chunk_size` is less than 1.
    NotARoot
    SourceError
    """
    import pandas as pd

    source = source_of(dataset)
    base = times.resolve(source, None)
    roots = roots_of(source, neurons)
    chunks = chunks_of(source, roots, progress=progress)
    features = features_of(source, chunks, [_WHERE, _SIZE, _AXES], block=chunk_size, progress=progress)
    ids = np.concatenate([np.empty(0, dtype=np.uint64), *(chunks[root] for root in roots)])
    owners = np.repeat(np.array(roots, dtype=np.int64), [len(chunks[root]) for root in roots])
    places, axes = column(features, ids, _WHERE), first_axes(features, ids)
    known = np.isfinite(places[:, 0])
    table = pd.DataFrame({"root_id": owners[known], "l2_id": ids[known].astype(np.int64)})
    table[["x", "y", "z"]] = _voxels(source.dataset, places[known])
    table[["vec_x", "vec_y", "vec_z"]] = axes[known]
    table["size_nm3"] = column(features, ids[known], _SIZE)
    table.attrs |= base.attrs(source.dataset.name) | {"chunks_missing": int((~known).sum())}
    return table


def find_anchor_loc(
    neurons: Any, progress: bool = True, max_threads: int = 4, *, dataset: str | Dataset | None = None
) -> pd.DataFrame:
    """Find a point that is safely inside each neuron: in its largest L2 chunk.

    Source: as `get_l2_info`.

    Parameters
    ----------
    neurons, progress, max_threads, dataset
        As in `get_l2_info`.

    Returns
    -------
    pandas.DataFrame
        A row for each neuron, in input order, repetitions kept: `root_id`, int64, and `x`, `y`, `z`, Int64, voxels of
        the dataset's viewer (CRANT: 8 × 8 × 42 nm). NA if the L2 cache knows none of its chunks. Of equally large
        chunks, the one with the lowest id. `attrs` name dataset and time.

    Raises
    ------
    InvalidId
    NotARoot
    SourceError
    """
    import pandas as pd

    source = source_of(dataset)
    base = times.resolve(source, None)
    roots = roots_of(source, neurons)
    chunks = chunks_of(source, roots, progress=progress)
    features = features_of(source, chunks, [_WHERE, _SIZE], threads=max_threads, progress=progress)
    anchors = {root: _anchor(features, ids) for root, ids in chunks.items()}
    places = _voxels_or_na(source.dataset, [anchors[root] for root in roots])
    table = pd.concat([pd.DataFrame({"root_id": np.array(roots, dtype=np.int64)}), places], axis=1)
    table.attrs |= base.attrs(source.dataset.name)
    return table


def _anchor(features: Features, ids: Ids) -> NDArray[np.float64]:
    places, sizes = column(features, ids, _WHERE), column(features, ids, _SIZE)
    sizes = np.where(np.isfinite(places[:, 0]) & np.isfinite(sizes), sizes, -1.0)
    best = int(sizes.argmax())
    return places[best] if sizes[best] >= 0 else np.full(3, np.nan)


def _voxels(dataset: Dataset, places: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return the voxels of the viewer that contain points, (n, 3)."""
    return np.floor(nm_to_voxels(places.reshape(-1, 3), dataset.viewer_resolution)).astype(np.int64)


def _voxels_or_na(dataset: Dataset, places: Sequence[NDArray[np.float64]]) -> pd.DataFrame:
    import pandas as pd

    points = np.array(places, dtype=np.float64).reshape(-1, 3)
    unknown = np.isnan(points[:, 0])
    voxels = _voxels(dataset, np.where(unknown[:, None], 0.0, points))
    return pd.DataFrame(
        {axis: pd.arrays.IntegerArray(voxels[:, n].copy(), unknown.copy()) for n, axis in enumerate("xyz")}
    )
