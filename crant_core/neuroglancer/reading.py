"""What links show."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from crant_core.datasets import Dataset
from crant_core.errors import InvalidInput
from crant_core.neuroglancer.layers import is_of_neurons, layers_of
from crant_core.neuroglancer.scenes import Scene
from crant_core.neuroglancer.selection import id_of, is_shown, listed
from crant_core.registry import dataset_of

_STATES = "/nglstate/"
_TOKEN = re.compile(r"""'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"|[_&]""")
_HINT = "give a link with #!{…}, #!https://… or ?json_url=https://…"


def decode_url(url: Any, format: str = "json", *, dataset: str | Dataset | None = None) -> Any:  # noqa: A002
    """Read what a link to a scene shows.

    Parameters
    ----------
    url : str or list of str
        A link with the scene in it, or one to a scene that a state server keeps: `#!middleauth+https://…`,
        `?json_url=https://…`, and the address itself. Only those are asked for over the network.
    format : {"json", "brief", "dataframe"}, default "json"
        "json" is the scene. "brief" has its `position` (voxels, None if it does not say), its `annotations` (a list of
        those in all layers), and `selected`: the ids of the neurons that are shown, as strings. "dataframe" has a row
        for each listed segment of each layer, those of surfaces too.
    dataset : str or Dataset, optional
        Whose servers may be sent a token, beside those of the presets; left out, the default dataset's.

    Returns
    -------
    dict, or pandas.DataFrame
        Columns segment (int64), layer (str), visible (bool). For a list of links a list of dicts, or all rows in one
        table.

    Raises
    ------
    InvalidInput
        There is no scene in the link, or an unknown format.
    SourceTokenMissing
    SourceError
        The server does not give the scene.

    Notes
    -----
    Endpoint: `GET /nglstate/api/v1/{number}`.
    """
    forms: dict[str, Callable[[Scene], Any]] = {"json": lambda scene: scene, "brief": _brief, "dataframe": _rows}
    if format not in forms:
        raise InvalidInput(f"format={format!r} is not known", value=format, hint=f"use one of {', '.join(forms)}")
    mine = dataset_of(dataset)
    many = isinstance(url, Iterable) and not isinstance(url, str)
    found = [forms[format](_read(one, mine)) for one in (url if many else [url])]
    if format == "dataframe":
        return _table(found)
    return found if many else found[0]


def _read(url: Any, dataset: Dataset) -> Scene:
    text = _written(url)
    if text.startswith("{"):
        return _parsed(text, url)
    from crant_core.neuroglancer.states import fetch

    return fetch(text, dataset)


def _written(url: Any) -> str:
    """Return a scene's JSON, or the address where it is."""
    if not isinstance(url, str):
        raise InvalidInput(f"{type(url).__name__} is no link", value=type(url).__name__, hint=_HINT)
    parts = urlsplit(url.strip())
    asked = parse_qs(parts.query).get("json_url")
    if parts.fragment.startswith("!"):
        return unquote(parts.fragment[1:]).lstrip("+ ")
    if asked:
        return asked[0]
    if _STATES in parts.path:
        return url.strip()
    raise InvalidInput("there is no scene in the link", value=url[:200], hint=_HINT)


def _parsed(text: str, url: str) -> Scene:
    """Read JSON, also with ' for " and _ for , between values: older Neuroglancers write links so."""
    for attempt in (text, _TOKEN.sub(_standard, text)):
        try:
            found = json.loads(attempt)
        except ValueError:
            continue
        layers_of(found)
        return dict(found)
    raise InvalidInput("the scene in the link is damaged", value=url[:200], hint="was it copied whole?")


def _standard(match: re.Match[str]) -> str:
    found = match[0]
    if found in "_&":
        return ","
    return found if found.startswith('"') else '"' + found[1:-1].replace("\\'", "'").replace('"', '\\"') + '"'


def _brief(scene: Scene) -> dict[str, Any]:
    neurons = [layer for layer in layers_of(scene) if is_of_neurons(layer)]
    shown = [segment for layer in neurons for segment in listed(layer) if is_shown(segment)]
    return {
        "position": scene.get("position", _legacy_position(scene)),
        "annotations": [one for layer in layers_of(scene) for one in layer.get("annotations", [])],
        "selected": list(dict.fromkeys(shown)),
    }


def _legacy_position(scene: Mapping[str, Any]) -> Any:
    found: Any = scene
    for key in ("navigation", "pose", "position", "voxelCoordinates"):
        found = found.get(key) if isinstance(found, Mapping) else None
    return found


def _rows(scene: Scene) -> list[tuple[int, str, bool]]:
    return [
        (_number(id_of(segment)), str(layer.get("name", "")), is_shown(segment))
        for layer in layers_of(scene)
        for segment in listed(layer)
    ]


def _number(segment: str) -> int:
    try:
        return int(segment)
    except ValueError as error:
        raise InvalidInput(f"the scene has a segment {segment!r}, which is no id", value=segment) from error


def _table(scenes: list[list[tuple[int, str, bool]]]) -> Any:
    import pandas as pd

    rows = [row for scene in scenes for row in scene]
    found = pd.DataFrame(rows, columns=["segment", "layer", "visible"])
    return found.astype({"segment": "int64", "visible": "bool"})
