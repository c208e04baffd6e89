"""CAVE's own clients for people who want them: bounded, remembered, and apart from those the library itself uses."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from crant_core.access.sources import forget_sources, source_of
from crant_core.caching.keys import Uncacheable, fingerprint
from crant_core.caching.memory import clear_global_cache, clear_global_caches, get_global_cache
from crant_core.caching.results import MAX_AGE
from crant_core.caching.store import clear_store
from crant_core.errors import InvalidInput
from crant_core.registry import dataset_of

if TYPE_CHECKING:
    from crant_core.datasets import Dataset

_CLIENTS, _VOLUMES = "cave_clients", "cloudvolumes"


def get_cave_client(dataset: str | Dataset | None = None, clear_cache: bool = False, check_stale: bool = True) -> Any:
    """Return a caveclient for a dataset; threads may share it.

    All its requests have time-outs, and an answer that was cut short is an error (see `CaveSource`). The library never
    uses it: what you set on it, such as `version`, changes nothing elsewhere.

    Parameters
    ----------
    dataset : str, optional
        Name or alias; left out, the default dataset.
    clear_cache : bool, default False
        Make a new one.
    check_stale : bool, default True
        Make a new one if the remembered one is older than two hours, or all versions it knows have expired.

    Returns
    -------
    CAVEclient

    Raises
    ------
    UnknownDataset
    SourceTokenMissing
        There is no token for the server; the message says how to set one. Nobody is asked for it.
    SourceError

    Notes
    -----
    Endpoints: `GET /info/api/v2/datastack/full/{datastack}` and the versions of the services; with `check_stale`, and
    once a day, `GET /materialize/api/v3/datastack/{datastack}/metadata`.
    """
    source = source_of(dataset)
    return get_global_cache(_CLIENTS).get_or_make(
        (source.dataset, source.token()),
        source.new_client,
        MAX_AGE if check_stale else None,
        validate_cave_client if check_stale else _always,
        clear_cache,
    )


def validate_cave_client(client: Any) -> bool:
    """Say whether a caveclient is of use still: not all versions that it knows have expired.

    Parameters
    ----------
    client : CAVEclient

    Returns
    -------
    bool

    Raises
    ------
    SourceError

    Notes
    -----
    Endpoint: `GET /materialize/api/v3/datastack/{datastack}/metadata`, at most once every half day (caveclient keeps
    it).
    """
    from crant_core.sources.failures import translated

    with translated(client.server_address):
        versions = client.materialize.get_versions_metadata()
    ends = [version["expires_on"] for version in versions]
    return not ends or any(end is None or end > datetime.now(UTC) for end in ends)


def get_cloudvolume(
    dataset: str | Dataset | None = None, clear_cache: bool = False, check_stale: bool = True, **kwargs: Any
) -> Any:
    """Return a CloudVolume of a dataset's segmentation.

    What is missing or forbidden is an error, not zeros, and so is a box that is not inside the volume; requests have
    time-outs. The library never uses it: what you set on it, such as `mip`, changes nothing elsewhere.

    Parameters
    ----------
    dataset : str, optional
        Name or alias; left out, the default dataset.
    clear_cache : bool, default False
        Open it anew.
    check_stale : bool, default True
        Open it anew if it was opened more than two hours ago.
    **kwargs
        For CloudVolume, such as `mip` or `fill_missing`; other ones give another volume. One for arguments that cannot
        be compared is opened every time.

    Returns
    -------
    CloudVolume
        `path` is its source, as in crantpy.

    Raises
    ------
    InvalidInput
        CloudVolume does not know an argument, or the volume has no such scale.
    UnknownDataset
    SourceTokenMissing
    SourceError
    """
    source = source_of(dataset)
    try:
        key = (source.dataset, source.token(), fingerprint(kwargs))
    except Uncacheable:
        return _open(source, kwargs)
    return get_global_cache(_VOLUMES).get_or_make(
        key,
        lambda: _open(source, kwargs),
        MAX_AGE if check_stale else None,
        clear=clear_cache,
    )


def _open(source: Any, kwargs: dict[str, Any]) -> Any:
    from cloudvolume.exceptions import ScaleUnavailableError

    try:
        volume = source.new_volume(**kwargs)
        volume.path = source.segmentation_source()
        return volume
    except (TypeError, ScaleUnavailableError) as error:
        raise InvalidInput(f"CloudVolume cannot be opened with {kwargs}: {error}", value=str(kwargs)) from error


def get_cave_datastacks() -> list[str]:
    """List the datastacks of the default dataset's server.

    Raises
    ------
    SourceError

    Notes
    -----
    Endpoint: `GET /info/api/v2/datastacks`.
    """
    return source_of().datastacks()


def get_dataset_segmentation_source(dataset: str | Dataset | None = None) -> str:
    """Return where a dataset's segmentation is, such as `graphene://middleauth+https://…`.

    Parameters
    ----------
    dataset : str, optional
        Name or alias; left out, the default dataset.

    Returns
    -------
    str
        As CAVE's description of the datastack says.

    Raises
    ------
    UnknownDataset
    SourceError

    Notes
    -----
    Endpoint: `GET /info/api/v2/datastack/full/{datastack}`, once per source.
    """
    return source_of(dataset).segmentation_source()


def get_datastack_segmentation_source(datastack: str) -> str:
    """Return where the segmentation of a datastack of the default dataset's server is.

    Parameters
    ----------
    datastack : str
        Such as `kronauer_ant`.

    Returns
    -------
    str

    Raises
    ------
    SourceError
        The server knows no such datastack.

    Notes
    -----
    Endpoint: `GET /info/api/v2/datastack/full/{datastack}`.
    """
    mine = dataset_of()
    described = mine.model_copy(update={"datastack": datastack})
    return source_of(mine if datastack == mine.datastack else described).segmentation_source()


def clear_cave_client_cache() -> None:
    """Forget all caveclients, so that the next ones are new."""
    clear_global_cache(_CLIENTS)


def clear_cloudvolume_cache() -> None:
    """Forget all volumes, so that the next ones are opened anew."""
    clear_global_cache(_VOLUMES)


def clear_all_caches() -> None:
    """Forget everything: clients, volumes, answers in memory, decoded chunks, and what is kept on disk."""
    from crant_core.caching.meshes import clear_meshes
    from crant_core.sources import caches, watershed

    clear_global_caches()
    forget_sources()
    caches.forget()
    watershed.forget()
    clear_store()
    clear_meshes()


def _always(_: Any) -> bool:
    return True
