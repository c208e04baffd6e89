"""The datasets of this process by name, and which of them is meant where none is named."""

from __future__ import annotations

import threading

from crant_core import datasets
from crant_core.datasets import PRESETS, Dataset, SeaTableStore, by_name
from crant_core.errors import InvalidInput
from crant_core.settings import library_settings

_lock = threading.Lock()
_registered: dict[str, Dataset] = {}
_tokens: dict[str, str] = {}
_annotation_tokens: dict[str, str] = {}
_default: str | None = None


def register(dataset: Dataset, token: str | None = None, annotation_token: str | None = None) -> Dataset:
    """Add a dataset to this process, or replace one that was added.

    Datasets for all processes belong in the setting `CRANT_DATASETS`.

    Parameters
    ----------
    dataset : Dataset
        Its name and aliases may not be those of a preset; a preset itself may be given, for the token.
    token : str, optional
        CAVE token of its server. Left out, it is looked for as for every other server.
    annotation_token : str, optional
        Account token of the server of its annotations, if they are in a SeaTable base. Left out, it is looked for as
        `given_annotation_token` says.

    Returns
    -------
    Dataset
        The same.

    Raises
    ------
    InvalidInput
        A preset has its name, or there is a token for annotations that need none.
    """
    _check_name(dataset)
    if annotation_token is not None and not isinstance(dataset.annotations, SeaTableStore):
        hint = "a CAVE table is read with the CAVE token, and a file with none"
        raise InvalidInput(f"the annotations of {dataset.name} need no token", value=dataset.name, hint=hint)
    with _lock:
        if dataset not in PRESETS:
            _registered[dataset.name] = dataset
        if annotation_token is not None and isinstance(dataset.annotations, SeaTableStore):
            _annotation_tokens[dataset.annotations.server.rstrip("/")] = annotation_token
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
    return datasets.get_dataset(name, [*extra.values(), *library_settings().datasets])


def get_dataset(name: str) -> Dataset:
    """Find a dataset by its name or an alias: built in, in the setting `CRANT_DATASETS`, or registered.

    Parameters
    ----------
    name : str
        In capitals or not, with `-` or `_`.

    Raises
    ------
    UnknownDataset
        With the nearest known names.
    """
    return dataset_of(name)


def find_dataset(server: str | None, datastack: str) -> Dataset | None:
    """Return the known dataset of a datastack, on any server if none is named; None if there is none.

    Of several, a registered one comes before those of the settings, and those before the presets.
    """
    with _lock:
        registered = [*_registered.values()]
    known = [*reversed(registered), *library_settings().datasets, *PRESETS]
    of_it = (one for one in known if one.datastack == datastack)
    return next((one for one in of_it if server is None or one.server.rstrip("/") == server.rstrip("/")), None)


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


def given_annotation_token(dataset: Dataset) -> str | None:
    """Return the account token for the SeaTable server of a dataset's annotations; None if there is none.

    It is the one that was registered, else that of the setting `CRANT_ANNOTATION_TOKENS`, else, for CRANT's own server
    only, the environment variable `CRANTTABLE_TOKEN`, else, where one server does both, its CAVE token.
    """
    store = dataset.annotations
    if not isinstance(store, SeaTableStore):
        return None
    server = store.server.rstrip("/")
    with _lock:
        registered = _annotation_tokens.get(server)
    found = registered or library_settings().annotation_token(server)
    return found or (given_token(server) if server == dataset.server.rstrip("/") else None)


def _check_name(dataset: Dataset) -> None:
    presets = by_name()
    for name in (dataset.name, *dataset.aliases):
        if name in presets and presets[name] != dataset:
            hint = "give it another name"
            raise InvalidInput(f"{name} is the name of a dataset that is built in", value=name, hint=hint)
