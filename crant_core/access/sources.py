"""One source per dataset and token, shared by all threads."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from crant_core.caching.memory import Cache
from crant_core.datasets import Dataset
from crant_core.errors import WrongType
from crant_core.registry import dataset_of, find_dataset, given_token

if TYPE_CHECKING:
    from crant_core.sources.cave import CaveSource

_MOST = 32  # sources kept: a person uses a few, a test suite many
_sources = Cache(_MOST)


def source_of(dataset: str | Dataset | CaveSource | None = None) -> CaveSource:
    """Return the shared source of a dataset. Nothing is asked of the server before it is used.

    Parameters
    ----------
    dataset : str, Dataset, CaveSource or None
        Name or alias; None: the default dataset, as it is at this moment. A source is returned as it is: jobs have
        their own, with their own token.

    Raises
    ------
    UnknownDataset
    """
    if dataset is None or isinstance(dataset, str | Dataset):
        return _shared(dataset_of(dataset))
    return dataset


def _shared(found: Dataset) -> CaveSource:
    token = given_token(found.server)
    source: CaveSource = _sources.get_or_make((found, token), lambda: _open(found, token))
    return source


def source_of_client(client: Any) -> CaveSource:
    """Return the source that asks what a person's client would ask: the same datastack, with the same token.

    Parameters
    ----------
    client : CAVEclient, DatasetClient, str, Dataset or None
        A name or None is read as `source_of` does. What is set on a client, such as its version, changes nothing.

    Raises
    ------
    WrongType
        It is none of these.
    UnknownDataset
    """
    if client is None or isinstance(client, str | Dataset):
        return source_of(client)
    cave = getattr(client, "cave", client)
    try:
        server, datastack, token = cave.server_address, cave.datastack_name, cave.auth.token
    except AttributeError as error:
        hint = "give a CAVEclient (get_cave_client), the name of a dataset, or None"
        raise WrongType(f"{type(client).__name__} is no client", value=str(type(client)), hint=hint) from error
    found = find_dataset(server, datastack) or _described(server, datastack)
    source: CaveSource = _sources.get_or_make((found, token), lambda: _open(found, token))
    return source


def _described(server: str, datastack: str) -> Dataset:
    """Describe a datastack of which only its name and server are known; the viewer's unit is not, and counts as 1."""
    name = re.sub(r"[^a-z0-9_]", "_", datastack.lower())
    return Dataset(name=name, datastack=datastack, server=server.rstrip("/"), viewer_resolution=(1.0, 1.0, 1.0))


def forget_sources() -> None:
    """Let the next calls connect anew, with the token as it is then."""
    _sources.clear()


def _open(dataset: Dataset, token: str | None) -> CaveSource:
    from crant_core.sources.cave import CaveSource  # heavy: caveclient and cloud-volume

    return CaveSource(dataset, token)
