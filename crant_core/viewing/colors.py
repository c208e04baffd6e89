"""Colours as people name them, and one for each of many neurons."""

from __future__ import annotations

import colorsys
from collections.abc import Mapping, Sequence
from numbers import Integral, Real
from typing import Any

from crant_core.errors import InvalidInput
from crant_core.parsing import root_ids_of

_RGB = (3, 4)  # numbers of a colour, without and with its opacity
_BYTE = 255
_GOLDEN = 0.618033988749895  # steps of it spread hues evenly, however many there are
_LIGHTNESS, _SATURATION = 0.6, 0.65
_HINT = 'colours are names such as "red", "#ff0000", or tuples of three numbers, to 1 or to 255'


def hex_color(color: Any) -> str:
    """Write a colour as `#rrggbb`.

    Parameters
    ----------
    color : str or sequence of float
        A name that matplotlib knows, `#rrggbb`, or red, green and blue (and an opacity, which is left out): to 255 if
        one of them is above 1, else to 1.

    Raises
    ------
    InvalidInput
    """
    from matplotlib.colors import to_hex

    try:
        return str(to_hex(color if isinstance(color, str) else _unit_rgb(color)))
    except (TypeError, ValueError) as error:
        raise InvalidInput(f"{color!r} is no colour", value=str(color), hint=_HINT) from error


def colors_of(neurons: Any, colors: Any) -> dict[int, str]:
    """Give neurons colours.

    Parameters
    ----------
    neurons : int, str, array_like, pandas.Series, NeuronCriteria, navis neuron(s)
        See `crant_core.parsing.root_ids_of`.
    colors : str, tuple, list, mapping, array or None
        A name or a tuple of three numbers is everybody's colour. A list, or an (n, 3) array, has one colour for each
        neuron, and a mapping has them by id. A one-dimensional array, Series or Categorical, and a list of whole
        numbers, are labels: neurons with the same label get the same colour, those without one get none. None makes
        them as different as possible.

    Returns
    -------
    dict
        `#rrggbb` by id; of an id that is there twice, the last one.

    Raises
    ------
    InvalidInput
        No colours, or not as many as neurons.
    InvalidId
    """
    if isinstance(colors, Mapping):
        return {root_id: hex_color(color) for key, color in colors.items() for root_id in root_ids_of(key).tolist()}
    ids = root_ids_of(neurons).tolist()
    if colors is None:
        return dict(zip(ids, palette(len(ids)), strict=True))
    if isinstance(colors, str) or _is_rgb(colors):
        return dict.fromkeys(ids, hex_color(colors))
    found = _one_each(colors)
    if len(found) != len(ids):
        message = f"there are {len(found)} colours for {len(ids)} neurons"
        raise InvalidInput(message, value=len(found), hint="give one for each, or one for all")
    return {root_id: color for root_id, color in zip(ids, found, strict=True) if color is not None}


def palette(count: int) -> list[str]:
    """Return colours that can be told apart, `#rrggbb`: matplotlib's tab10, tab20, and beyond 20 spread hues."""
    from matplotlib import colormaps
    from matplotlib.colors import to_hex

    for name in ("tab10", "tab20"):
        if count <= colormaps[name].N:
            return [to_hex(colormaps[name](number)) for number in range(count)]
    hues = [number * _GOLDEN % 1 for number in range(count)]
    return [to_hex(colorsys.hls_to_rgb(hue, _LIGHTNESS, _SATURATION)) for hue in hues]


def _one_each(colors: Any) -> list[str | None]:
    import numpy as np

    if isinstance(colors, Sequence):
        labels = isinstance(colors, list) and bool(colors) and all(isinstance(color, Integral) for color in colors)
        return _by_label(colors) if labels else [hex_color(color) for color in colors]
    if isinstance(colors, np.ndarray) and colors.ndim == 2:  # noqa: PLR2004 - rows of RGB
        return [hex_color(color) for color in colors.tolist()]
    if not hasattr(colors, "__array__"):
        raise InvalidInput(f"{colors!r} are no colours", value=str(colors), hint=_HINT)
    return _by_label(colors)


def _by_label(labels: Any) -> list[str | None]:
    import pandas as pd

    codes, kinds = pd.factorize(pd.Series(labels))
    colors = palette(len(kinds))
    return [None if code < 0 else colors[code] for code in codes.tolist()]


def _is_rgb(color: Any) -> bool:
    return isinstance(color, tuple) and len(color) in _RGB and all(isinstance(part, Real) for part in color)


def _unit_rgb(color: Any) -> tuple[float, ...]:
    parts = tuple(float(part) for part in color)
    if len(parts) not in _RGB:
        raise ValueError(parts)
    return tuple(part / _BYTE for part in parts[:3]) if max(parts) > 1 else parts[:3]
