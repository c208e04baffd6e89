"""Volumes with the only safe settings, and boxes out of them that are complete."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from crant_core.errors import DataMissing, InvalidInput, OutOfBounds
from crant_core.sources.failures import translated
from crant_core.sources.transport import bound_cloudvolume

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import ArrayLike, NDArray


_SAFE = {
    "use_https": True,  # public buckets without Google credentials
    "parallel": 1,  # more would share kept-alive sockets between forks, which then read each other's bytes
    "fill_missing": False,  # what is missing or forbidden would be zeros
    "bounded": True,  # what is outside would be zeros
    "cache": False,  # a cache on disk knows neither server nor token
    "progress": False,
}


@dataclass(frozen=True, slots=True)
class Scale:
    """One resolution of a volume, and the chunks it is stored in.

    Attributes
    ----------
    resolution : tuple of float
        nm per voxel along x, y, z.
    low, high : tuple of int
        Corners of the volume, voxels of this scale; `high` is outside.
    chunk : tuple of int
        Size of a storage chunk, voxels; the first begins at `low`.
    """

    resolution: tuple[float, ...]
    low: tuple[int, ...]
    high: tuple[int, ...]
    chunk: tuple[int, ...]

    def voxels_at(self, points: NDArray[np.float64]) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        """Return the voxel that contains each point (n, 3) in nm, and whether it is inside; outside it is `low`."""
        import numpy as np

        voxels = np.floor(points / self.resolution)  # compared before they become integers, which overflow
        inside: NDArray[np.bool_] = np.all((voxels >= self.low) & (voxels < self.high), axis=1)
        return np.where(inside[:, None], voxels, self.low).astype(np.int64), inside

    def chunks_of(self, voxels: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the index of the storage chunk of each voxel, (n, 3)."""
        return (voxels - self.low) // self.chunk

    def chunks_in(self, low: ArrayLike, high: ArrayLike) -> NDArray[np.int64]:
        """Return the indices of the storage chunks that a box of voxels touches, (k, 3), ordered by x, y, z."""
        import numpy as np

        first, last = self.chunks_of(np.array([low, np.subtract(high, 1)], dtype=np.int64))
        axes = [np.arange(begin, end + 1) for begin, end in zip(first, last, strict=True)]
        return np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 3)

    def chunk_box(self, chunk: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return a storage chunk's corners, voxels; those at the end of the volume are smaller."""
        import numpy as np

        low = np.asarray(self.low) + chunk * self.chunk
        return low, np.minimum(low + self.chunk, self.high)


def scale_of(info: Mapping[str, Any], mip: int = 0) -> Scale:
    """Read one scale from a volume's description.

    Parameters
    ----------
    info : mapping
        As stored beside the volume.
    mip : int
        Which scale, 0 is the finest.

    Raises
    ------
    InvalidInput
        There is no such scale.
    """
    scales = info["scales"]
    if isinstance(mip, bool) or not hasattr(mip, "__index__") or not 0 <= mip < len(scales):
        hint = f"there are {len(scales)}: 0 to {len(scales) - 1}"
        raise InvalidInput(f"the volume has no scale (mip) {mip!r}", value=mip, hint=hint)
    found = scales[mip]
    low = tuple(int(begin) for begin in found.get("voxel_offset", (0, 0, 0)))
    high = tuple(begin + int(size) for begin, size in zip(low, found["size"], strict=True))
    return Scale(tuple(map(float, found["resolution"])), low, high, tuple(map(int, found["chunk_sizes"][0])))


def open_volume(
    path: str, token: str | None = None, info: Mapping[str, Any] | None = None, mip: int = 0, **options: Any
) -> Any:
    """Open a volume.

    Parameters
    ----------
    path : str
        `graphene://…` or `precomputed://…`.
    token : str, optional
        CAVE token; graphene needs one.
    info : mapping, optional
        The volume's description; left out, it is asked for.
    mip : int
        The scale that is read; a volume for another one is another volume.
    **options
        For CloudVolume, instead of what is safe.

    Returns
    -------
    CloudVolume
        Over a graphene volume, `mesh.get` returns all of a mesh or raises `DataMissing`.
    """
    from cloudvolume import CloudVolume

    bound_cloudvolume()
    secrets, described = {"token": token} if token else None, deepcopy(dict(info)) if info else None
    volume = CloudVolume(path, mip=mip, secrets=secrets, info=described, **(_SAFE | options))
    if path.startswith("graphene://"):
        from crant_core.sources.fragments import whole

        volume.mesh = whole(volume.mesh)
    return volume


def cutout(volume: Any, low: Sequence[int], high: Sequence[int]) -> NDArray[np.generic]:
    """Download a box; voxels that are 0 are 0 in storage.

    Parameters
    ----------
    volume : CloudVolume
        From `open_volume`.
    low, high : sequence of int
        Corners, (3,), voxels of the volume's own resolution; `high` is outside.

    Returns
    -------
    ndarray
        (x, y, z) of the volume's dtype, with a fourth axis if there are several channels. Of graphene, supervoxels.

    Raises
    ------
    OutOfBounds
    DataMissing
        Storage lacks a chunk of the box, or forbids it.
    SourceError
    """
    import numpy as np
    from cloudvolume import Bbox
    from cloudvolume.exceptions import EmptyVolumeException

    box = Bbox(low, high)
    _check_box(volume, box)
    try:
        with translated(volume.meta.cloudpath):
            found = np.asarray(volume.download(box))
    except EmptyVolumeException as error:
        message = f"{volume.meta.cloudpath} gave no {error}"
        raise DataMissing(message, value=str(error), hint="it may not be there, or be forbidden") from error
    return found[..., 0] if found.shape[-1] == 1 else found


def _check_box(volume: Any, box: Any) -> None:
    if not (box.size3() > 0).all():
        raise InvalidInput(f"the box {box} is empty", value=str(box))
    if not volume.bounds.contains_bbox(box):
        raise OutOfBounds(f"the box {box} is not inside {volume.bounds}", value=str(box))
