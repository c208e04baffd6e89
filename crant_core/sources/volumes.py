"""Volumes with the only safe settings, and boxes out of them that are complete."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import deepcopy
from typing import TYPE_CHECKING, Any

from crant_core.errors import DataMissing, InvalidInput, OutOfBounds
from crant_core.sources.failures import translated
from crant_core.sources.transport import bound_cloudvolume

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


def open_volume(path: str, token: str | None = None, info: Mapping[str, Any] | None = None) -> Any:
    """Open a volume.

    Parameters
    ----------
    path : str
        `graphene://…` or `precomputed://…`.
    token : str, optional
        CAVE token; graphene needs one.
    info : mapping, optional
        The volume's description; left out, it is asked for.

    Returns
    -------
    CloudVolume
        Over a graphene volume, `mesh.get` returns all of a mesh or raises `DataMissing`.
    """
    from cloudvolume import CloudVolume

    bound_cloudvolume()
    volume = CloudVolume(
        path,
        secrets={"token": token} if token else None,
        info=deepcopy(dict(info)) if info else None,
        use_https=True,  # public buckets without Google credentials
        parallel=1,  # more would share kept-alive sockets between forks, which then read each other's bytes
        fill_missing=False,  # what is missing or forbidden would be zeros
        bounded=True,  # what is outside would be zeros
        cache=False,  # a cache on disk knows neither server nor token
        progress=False,
    )
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
