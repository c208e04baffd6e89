"""The datasets of this process by name, and which of them is meant where none is named."""

from __future__ import annotations

import threading

from crant_core.datasets import PRESETS, Dataset, by_name, get_dataset
from crant_core.errors import InvalidInput
from crant_core.settings import library_settings

_lock = threading.Lock()
_registered: dict[str, Dataset] = {}
_tokens: dict[str, str] = {}
_default: str | None = None


def register(dataset: Dataset, token: str | None = None) -> Dataset:
    """Add a dataset to this process, or replace one that was added.

    Datasets for all processes belong in the setting `CRANT_DATASETS`.

    Parameters
    ----------
    dataset : Dataset
        Its name and aliases may not be those of a preset; a preset itself may be given, for the token.
    token : str, optional
        CAVE token of its server. Left out, it is looked for as for every other server.

    Returns
    -------
    Dataset
        The same.

    Raises
    ------
    InvalidInput
        A preset has its name.
    """
    _check_name(dataset)
    with _lock:
        if dataset not in PRESETS:
            _registered[dataset.name] = dataset
    if token is not None:
        set_token(dataset.server, token)
    return dataset


def dataset_of(dataset: str | Dataset | None = None) -> Dataset:
    """Return a dataset.

    Parameters
    ----------
    dataset : str, Dataset or None
        Name or alias; a Dataset is itself; None: the default dataset.

    Raises
    ------
    UnknownDataset
        With the nearest known names.
    """
    if isinstance(dataset, Dataset):
        return dataset
    name = default_dataset() if dataset is None else dataset
    with _lock:
        extra = dict(_registered)
    return get_dataset(name, [*extra.values(), *library_settings().datasets])


def default_dataset() -> str:
    """Return the name of the dataset that is meant where none is named.

    It is what `set_default_dataset` was given, else the setting `CRANT_DEFAULT_DATASET`, else `latest`.
    """
    return _default or library_settings().default_dataset


def set_default_dataset(dataset: str | Dataset) -> str:
    """Say which dataset is meant where none is named, from the next call on, in all threads of this process.

    Parameters
    ----------
    dataset : str or Dataset
        Name or alias; a Dataset is registered.

    Returns
    -------
    str
        Its name.

    Raises
    ------
    UnknownDataset
        The default stays what it was.
    InvalidInput
        None names no dataset.
    """
    global _default  # noqa: PLW0603 - it is the process's default
    if dataset is None:
        raise InvalidInput("no dataset is named", hint="'latest' is CRANT's own")
    found = register(dataset) if isinstance(dataset, Dataset) else dataset_of(dataset)
    _default = found.name
    return found.name


def set_token(server: str, token: str) -> None:
    """Use a token for a server in this process, whatever settings and files say."""
    with _lock:
        _tokens[server.rstrip("/")] = token


def given_token(server: str) -> str | None:
    """Return the token that was registered or set for a server; None leaves it to caveclient's files."""
    with _lock:
        registered = _tokens.get(server.rstrip("/"))
    return registered or library_settings().token(server)


def _check_name(dataset: Dataset) -> None:
    presets = by_name()
    for name in (dataset.name, *dataset.aliases):
        if name in presets and presets[name] != dataset:
            hint = "give it another name"
            raise InvalidInput(f"{name} is the name of a dataset that is built in", value=name, hint=hint)
