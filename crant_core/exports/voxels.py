"""What positions of an exported table count: voxels of that table, which need not be those of its dataset."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any, TypeAlias

from crant_core.errors import SourceError
from crant_core.sources.chunkedgraph_requests import asking

if TYPE_CHECKING:
    from crant_core.sources.cave import CaveSource

Voxel: TypeAlias = tuple[float, float, float]
_AXES = "xyz"


def voxels_of(source: CaveSource, name: str) -> Voxel | None:
    """Ask the newest version what the positions of a table or view count.

    Parameters
    ----------
    source : CaveSource
    name : str
        Of the export: `{table}`, `{table}_merged`, `{table}__{segmentation}` or a view's.

    Returns
    -------
    tuple of float or None
        nm; None: there is no such table any more, or its owner did not say.

    Raises
    ------
    SourceError

    Notes
    -----
    Endpoints: `GET /materialize/api/v2/datastack/{datastack}/version/{version}/table/{table}/metadata`, and for what is
    no table `GET /materialize/api/v3/datastack/{datastack}/version/{version}/views/{view}/metadata`.
    """
    materialize = source.client().materialize
    for table in dict.fromkeys((name, name.removesuffix("_merged"), name.split("__", maxsplit=1)[0])):
        for ask in (materialize.get_table_metadata, materialize.get_view_metadata):
            found = _asked(source.dataset.server, ask, table)
            if found is not None:
                return found
    return None


def _asked(server: str, ask: Any, table: str) -> Voxel | None:
    try:
        with asking(server):
            return _read(ask(table, log_warning=False))
    except SourceError as error:
        if error.value != HTTPStatus.NOT_FOUND:
            raise
        return None


def _read(about: dict[str, Any]) -> Voxel | None:
    steps = about.get("voxel_resolution") or [about.get(f"voxel_resolution_{axis}") for axis in _AXES]
    if any(step is None for step in steps):
        return None
    x, y, z = map(float, steps)
    return x, y, z
