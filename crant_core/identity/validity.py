"""Which ids are root ids, supervoxel ids, and roots that still hold."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from crant_core import times
from crant_core.access import source_of
from crant_core.errors import InvalidId
from crant_core.ids import layer_of, parse_id
from crant_core.parsing import ids_or_none, is_missing, raw_ids
from crant_core.sources.chunkedgraph_requests import JSON_IDS

if TYPE_CHECKING:
    from numpy.typing import NDArray

_SUPERVOXEL_LAYER = 1


def is_valid_root(x: Any, dataset: Any = None, raise_exc: bool = False) -> Any:
    """Say which ids have the form of a root id: the dataset's top layer. Whether they exist is not asked.

    Parameters
    ----------
    x : id or ids
        Integers or strings, one or many.
    dataset : str, optional
        Name or alias; left out, the default dataset.
    raise_exc : bool, default False
        Raise if one of them has not.

    Returns
    -------
    bool or (n,) bool
        One answer for one id, an array for many. What is no id at all, or missing, or 0, is False.

    Raises
    ------
    InvalidId
        Only with `raise_exc`.
    SourceError

    Notes
    -----
    The layer comes from `GET /segmentation/table/{table}/info`, asked once per client.
    """
    return _all_of_layer(x, source_of(dataset).root_layer(), "root id", raise_exc)


def is_valid_supervoxel(x: Any, dataset: Any = None, raise_exc: bool = False) -> Any:
    """Say which ids have the form of a supervoxel id: their layer is 1. Nothing is asked of the server.

    Parameters
    ----------
    x : id or ids
        Integers or strings, one or many.
    dataset : str, optional
        Name or alias; it must be known, though supervoxels have the same form in all datasets.
    raise_exc : bool, default False
        Raise if one of them has not.

    Returns
    -------
    bool or (n,) bool
        One answer for one id, an array for many. What is no id at all, or missing, or 0, is False.

    Raises
    ------
    InvalidId
        Only with `raise_exc`.
    UnknownDataset
    """
    source_of(dataset)
    return _all_of_layer(x, _SUPERVOXEL_LAYER, "supervoxel id", raise_exc)


def is_latest_roots(  # noqa: PLR0917 - the order that people know
    x: Any,
    timestamp: Any = None,
    dataset: Any = None,
    progress: bool = True,
    batch_size: int = 100_000,
    validate_ids: bool = True,
    use_http_session: bool = True,
) -> NDArray[np.bool_]:
    """Say which root ids hold at a time.

    Parameters
    ----------
    x : ids or neurons
        Ids as integers or strings, one or many; navis neurons; a DataFrame with `root_id`; anything with `get_roots()`.
    timestamp : time, optional
        Any form of a time: `"mat"`, `"mat_7"`, `7`, an ISO string, unix seconds, a datetime. Left out: now.
    dataset : str, optional
        Name or alias; left out, the default dataset.
    progress : bool, default True
        Show a bar if it takes longer than two seconds.
    batch_size : int, default 100,000
        Ids per request; never more than 45,000, which is 1 MB.
    validate_ids : bool, default True
        Refuse ids that have not the form of a root id. Otherwise they are False.
    use_http_session : bool, default True
        Without effect: requests always go through the one bounded session of the dataset's client.

    Returns
    -------
    (n,) bool
        In input order. False for 0, for missing ids and for roots that never were. At the very moment of an edit the
        new roots hold, as in `supervoxels_to_roots`.

    Raises
    ------
    InvalidId
        Something is no id or, with `validate_ids`, no root id.
    InvalidTime
    SourceError

    Notes
    -----
    Endpoint: `POST /segmentation/api/v1/table/{table}/is_latest_roots`.
    """
    source = source_of(dataset)
    ids = np.array([root or 0 for root in ids_or_none(x)], dtype=np.int64)
    if validate_ids:
        _all_of_layer(ids[ids != 0], source.root_layer(), "root id", raise_exc=True)
    when = times.resolve(source, timestamp).timestamp
    return source.graph.is_latest(ids, when, batch_size=min(batch_size, JSON_IDS), progress=progress)


def check_layer(ids: Sequence[Any], layer: int, what: str) -> None:
    """Refuse ids of another layer.

    Raises
    ------
    InvalidId
        It names the first one.
    """
    wrong = next((value for value in ids if not _is_of_layer(value, layer)), None)
    if wrong is not None:
        raise InvalidId(f"{wrong!r} is no {what}", value=wrong, hint=f"a {what} of this dataset has layer {layer}")


def _all_of_layer(x: Any, layer: int, what: str, raise_exc: bool) -> Any:
    values = raw_ids(x)
    if raise_exc:
        check_layer(values, layer, what)
    found = np.array([_is_of_layer(value, layer) for value in values], dtype=np.bool_)
    return bool(found[0]) if _is_one(x) else found


def _is_one(x: Any) -> bool:
    if isinstance(x, str | bytes | float) or is_missing(x):
        return True
    return hasattr(x, "__index__") and getattr(x, "ndim", 0) == 0


def _is_of_layer(value: Any, layer: int) -> bool:
    try:
        return layer_of(parse_id(value)) == layer
    except InvalidId:
        return False
