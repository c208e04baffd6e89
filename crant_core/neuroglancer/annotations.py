"""Layers of annotations: points, lines and ellipsoids."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from crant_core.datasets import Dataset
from crant_core.errors import InvalidInput
from crant_core.neuroglancer.layers import Layer
from crant_core.neuroglancer.scenes import Resolution, Scene, add_layer, dimensions, own_copy, resolution_of

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_POINT, _ELLIPSOID, _LINE = (3,), (4,), (2, 3)  # the shape of one
_DIGITS = 3  # of a voxel


def add_annotation_layer(
    annotations: Any,
    scene: Mapping[str, Any],
    name: str | None = None,
    connected: bool = False,
    *,
    dataset: str | Dataset | None = None,
) -> Scene:
    """Add points, lines or ellipsoids to a scene, as a new layer.

    Parameters
    ----------
    annotations : array_like
        Voxels. (n, 3): points. (n, 2, 3): lines from the first to the second point. (n, 4): ellipsoids, middle and
        radius, which is the same number of voxels along every axis. (3,) is one point; a Series of triples is read too.
    scene : dict
        It is not changed.
    name : str, optional
        Name of the layer, "annotations" if left out; a number is added if another layer has it.
    connected : bool, default False
        Join each point to the next one with a line, in place of the points.
    dataset : str or Dataset, optional
        Whose voxels the numbers count; left out, the scene's own.

    Returns
    -------
    dict
        A new scene. The annotations' ids are their numbers in the input, so the same call makes the same scene.

    Raises
    ------
    InvalidInput
        These are no annotations, or no points where they are to be connected.
    """
    copied = own_copy(scene)
    annotate(copied, annotations, name, connected=connected, dataset=dataset)
    return copied


def annotate(
    scene: Scene, annotations: Any, name: str | None, *, connected: bool = False, dataset: str | Dataset | None
) -> None:
    """Do what `add_annotation_layer` does, in place."""
    values = _numbers(annotations)
    called, resolution = "annotations" if name is None else name, resolution_of(scene, dataset)
    add_layer(scene, layer_of(_path(values) if connected else values, called, resolution))


def layer_of(values: NDArray[np.float64], name: str, resolution: Resolution) -> Layer:
    """Return the layer of points (n, 3), lines (n, 2, 3) or ellipsoids (n, 4), in voxels of a size in nm."""
    make = {_POINT: _point, _LINE: _line, _ELLIPSOID: _ellipsoid}[values.shape[1:]]
    return {
        "type": "annotation",
        "source": {"url": "local://annotations", "transform": {"outputDimensions": dimensions(resolution)}},
        "tab": "annotations",
        "annotations": [make(row) | {"id": str(number)} for number, row in enumerate(_plain(values))],
        "name": name,
    }


def _point(row: Any) -> dict[str, Any]:
    return {"point": row, "type": "point"}


def _line(row: Any) -> dict[str, Any]:
    return {"pointA": row[0], "pointB": row[1], "type": "line"}


def _ellipsoid(row: Any) -> dict[str, Any]:
    return {"center": row[:3], "radii": [row[3]] * 3, "type": "ellipsoid"}


def _plain(values: NDArray[np.float64]) -> Any:
    """Return nested lists, whole numbers as integers: links are shorter."""

    def shortened(value: Any) -> Any:
        if isinstance(value, list):
            return [shortened(part) for part in value]
        return int(value) if value.is_integer() else value

    return shortened(values.round(_DIGITS).tolist())


def _numbers(annotations: Any) -> NDArray[np.float64]:
    import numpy as np

    rows = annotations.to_numpy() if hasattr(annotations, "to_numpy") else annotations
    if not isinstance(rows, np.ndarray) or rows.dtype == object:
        rows = list(rows) if hasattr(rows, "__iter__") else rows
    try:
        values = np.asarray(rows, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise _no_annotations(annotations) from error
    if values.size == 0 and values.ndim == 1:
        return values.reshape(0, 3)
    values = values[None] if values.shape == _POINT else values
    if values.shape[1:] not in {_POINT, _ELLIPSOID, _LINE} or not np.isfinite(values).all():
        raise _no_annotations(annotations)
    return values


def _no_annotations(annotations: Any) -> InvalidInput:
    hint = "points are (n, 3), lines (n, 2, 3), ellipsoids (n, 4), all of finite numbers"
    return InvalidInput("these are no annotations", value=repr(annotations)[:200], hint=hint)


def _path(points: NDArray[np.float64]) -> NDArray[np.float64]:
    import numpy as np

    if points.shape[1:] != _POINT:
        raise InvalidInput("only points can be connected", value=points.shape, hint="leave out connected=True")
    return np.stack([points[:-1], points[1:]], axis=1)
