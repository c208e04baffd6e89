"""Scenes as links."""

from __future__ import annotations

import json
import webbrowser
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from crant_core.datasets import Dataset
from crant_core.errors import InvalidInput, NotInstalled
from crant_core.neuroglancer.scenes import check_scene
from crant_core.registry import dataset_of

_READABLE = "/:,"  # left as they are: links are shorter, and every browser takes them
_EXACT = 2**53  # up to here, JavaScript reads whole numbers as they are


def scene_to_url(
    scene: Mapping[str, Any],
    base_neuroglancer: bool = False,
    shorten: bool = False,
    open: bool = False,  # noqa: A002 - the documented name
    to_clipboard: bool = False,
    *,
    dataset: str | Dataset | None = None,
) -> str:
    """Make a link to a scene.

    Parameters
    ----------
    scene : dict
        It is not changed. NumPy's numbers and arrays may be in it; integers that JavaScript would round become strings.
    base_neuroglancer : bool, default False
        Link to Neuroglancer's own site instead of CAVE's Spelunker.
    shorten : bool, default False
        Leave the scene with the state server, and link to it there. Readers need an account of that server.
    open : bool, default False
        Open the link in a browser.
    to_clipboard : bool, default False
        Copy the link; needs pyperclip.
    dataset : str or Dataset, optional
        Whose sites and state server these are; left out, the default dataset's.

    Returns
    -------
    str
        `<site>/#!<percent-encoded JSON>`, or shortened `<site>/#!middleauth+https://…/nglstate/api/v1/<number>`.

    Raises
    ------
    InvalidInput
        The scene cannot be written as JSON.
    NotInstalled
        There is no browser to open it in, or no clipboard to copy it to.
    SourceTokenMissing
        There is no token for the state server.
    SourceError
        The state server did not take the scene; no long link is returned instead.

    Notes
    -----
    Endpoint: `POST /nglstate/api/v1/post` on the dataset's state server; only with `shorten`.
    """
    mine = dataset_of(dataset)
    site = mine.neuroglancer.base if base_neuroglancer else mine.neuroglancer.spelunker
    text = to_json(scene)
    url = _short(text, site, mine) if shorten else f"{site.rstrip('/')}/#!{quote(text, safe=_READABLE)}"
    if to_clipboard:
        _copy(url)
    if open and not webbrowser.open(url):
        raise NotInstalled("there is no browser to open the link in", value=url, hint="leave out open=True")
    return url


def to_json(scene: Mapping[str, Any]) -> str:
    """Write a scene as standard JSON, numbers that JavaScript would round as strings.

    Raises
    ------
    InvalidInput
        Something in it is nothing that JSON has, such as NaN.
    """
    check_scene(scene)
    try:
        return json.dumps(_plain(scene), ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    except (TypeError, ValueError) as error:
        raise InvalidInput(f"the scene cannot be written as JSON: {error}", value=str(error)) from error


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(part) for key, part in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(part) for part in value]
    if hasattr(value, "tolist"):  # NumPy's
        return _plain(value.tolist())
    is_rounded = isinstance(value, int) and not isinstance(value, bool) and abs(value) > _EXACT
    return str(value) if is_rounded else value


def _short(text: str, site: str, dataset: Dataset) -> str:
    from crant_core.neuroglancer.states import shortened

    return shortened(json.loads(text), site, dataset)


def _copy(url: str) -> None:
    try:
        import pyperclip
    except ImportError as error:
        raise NotInstalled("copying needs pyperclip", value="pyperclip", hint="pip install pyperclip") from error
    try:
        pyperclip.copy(url)
    except pyperclip.PyperclipException as error:
        raise NotInstalled("there is no clipboard to copy the link to", hint="leave out to_clipboard=True") from error
