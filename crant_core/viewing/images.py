"""Pictures of the tissue."""

from __future__ import annotations

from math import isfinite
from typing import TYPE_CHECKING, Any

from crant_core.access import source_of
from crant_core.caching.memory import get_global_cache
from crant_core.datasets import Dataset
from crant_core.errors import InvalidInput, OutOfBounds

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from crant_core.sources.cave import CaveSource
    from crant_core.sources.volumes import Scale

_CACHE = "image_volumes"
_SMALLEST, _LARGEST = 100, 5000  # pixels along an edge
_DIGITS = 6  # of a voxel, beyond which a position is on the border


def plot_em_image(
    x: float, y: float, z: float, size: int = 1000, *, dataset: str | Dataset | None = None
) -> NDArray[np.uint8]:
    """Fetch a section of the electron microscopy around a position.

    Source: the chunks of the dataset's image volume that the section touches, one request each. The volume's
    description is fetched once.

    Parameters
    ----------
    x, y, z : float
        The middle, voxels of the dataset's viewer: positions as annotations and synapse tables in pixels have them.
    size : int, default 1000
        Edge of the section in pixels, even, 100 to 5000. A pixel is a voxel of the scale of the images that is nearest
        to the viewer's resolution, which in most datasets is the same.
    dataset : str or Dataset, optional
        Left out, the default dataset.

    Returns
    -------
    ndarray
        (size, size) uint8, x along the first axis; the position is at `[size // 2, size // 2]`. It is the caller's
        own. A volume of another type keeps its type.

    Raises
    ------
    OutOfBounds
        The section leaves the volume; the message names both.
    InvalidInput
        No position, or a size that is not even or not within those limits.
    DataMissing
        Storage lacks a chunk of it, or forbids it.
    SourceError

    Notes
    -----
    Nothing is drawn: give the result to `matplotlib.pyplot.imshow(image, cmap="gray")`, transposed to have x to the
    right.
    """
    from crant_core.sources.volumes import cutout, scale_of

    _check_size(size)
    source = source_of(dataset)
    volume = _volume_of(source)
    scale = scale_of(volume.info, volume.mip)
    middle = _voxel_at((x, y, z), source.dataset, scale)
    low = [middle[0] - size // 2, middle[1] - size // 2, middle[2]]
    high = [low[0] + size, low[1] + size, low[2] + 1]
    _check_inside(low, high, scale, source.dataset)
    return cutout(volume, low, high)[:, :, 0].copy()  # type: ignore[return-value] # uint8 in every known dataset


def image_source_of(dataset: Dataset) -> str:
    """Return the address of a dataset's images, `precomputed://…`; where it does not say, CAVE is asked.

    Endpoint: `GET /info/api/v2/datastack/full/{datastack}`, once per source.

    Raises
    ------
    SourceError
    """
    from crant_core.sources.failures import translated

    if dataset.image_source is not None:
        return dataset.image_source
    with translated(dataset.server):
        return str(source_of(dataset).client().info.image_source())


def _volume_of(source: CaveSource) -> Any:
    """Return the image volume, opened once per process; nobody outside this module gets at it."""
    return get_global_cache(_CACHE).get_or_make(source.dataset, lambda: _open(source))


def _open(source: CaveSource) -> Any:
    from crant_core.sources.failures import translated
    from crant_core.sources.volumes import open_volume

    path = image_source_of(source.dataset)
    with translated(path):
        volume = open_volume(path, source.token() if "middleauth" in path else None)
        mip = _nearest_scale(volume.info["scales"], source.dataset.viewer_resolution)
        return volume if mip == 0 else open_volume(path, info=volume.info, mip=mip)


def _nearest_scale(scales: list[dict[str, Any]], resolution: tuple[float, float, float]) -> int:
    import numpy as np

    found = np.array([scale["resolution"] for scale in scales], dtype=np.float64)
    return int(np.abs(np.log(found / resolution)).sum(axis=1).argmin())


def _voxel_at(position: tuple[float, float, float], dataset: Dataset, scale: Scale) -> list[int]:
    import numpy as np

    try:
        place = [float(value) for value in position]
    except (TypeError, ValueError) as error:
        raise InvalidInput(f"{position!r} is no position", value=str(position), hint="give three numbers") from error
    if not all(map(isfinite, place)):
        raise InvalidInput(f"{position!r} is no position", value=str(position), hint="give three finite numbers")
    voxel = np.floor((np.array(place) * dataset.viewer_resolution / scale.resolution).round(_DIGITS))
    if (np.abs(voxel) > np.iinfo(np.int32).max).any():
        raise OutOfBounds(f"{place} is in no volume", value=place)
    return [int(value) for value in voxel]


def _check_size(size: int) -> None:
    if isinstance(size, bool) or not hasattr(size, "__index__") or size % 2 or not _SMALLEST <= size <= _LARGEST:
        hint = f"give an even number of pixels, {_SMALLEST} to {_LARGEST}"
        raise InvalidInput(f"size={size!r} cannot be fetched", value=size, hint=hint)


def _check_inside(low: list[int], high: list[int], scale: Scale, dataset: Dataset) -> None:
    if all(begin >= least for begin, least in zip(low, scale.low, strict=True)) and all(
        end <= most for end, most in zip(high, scale.high, strict=True)
    ):
        return
    covered = f"{list(scale.low)} to {list(scale.high)}"
    message = f"the box {low} to {high} is not inside the images of {dataset.name}, {covered} (voxels)"
    hint = f"positions are in voxels of {dataset.viewer_resolution} nm; take a smaller size near the border"
    raise OutOfBounds(message, value=[low, high], hint=hint)
