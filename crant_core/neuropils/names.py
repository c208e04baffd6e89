"""CRANT's neuropils by number and by name, as frozen data."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from types import MappingProxyType
from typing import TYPE_CHECKING

from crant_core.errors import NoMatchesError

if TYPE_CHECKING:
    from pathlib import Path

    from crant_core.datasets import Dataset

_BOTH_SIDES = ("left", "right")
_MUSHROOM_BODY = ("pedunculus_and_lobes", "medial_calyx", "lateral_calyx")
_NAMES = (
    *(f"mushroom_body_{part}_{side}" for side in _BOTH_SIDES for part in _MUSHROOM_BODY),
    *(f"antennal_lobe_{side}" for side in _BOTH_SIDES),
    "fan_shaped_body",
    "ellipsoid_body",
    "protocerebral_bridge",
    "nodulus_left",
    *(f"{pair}_{side}" for pair in ("optic_lobe", "lateral_horn") for side in _BOTH_SIDES),
    *(f"pb_glomerulus_{one}" for one in ("L5", "L6", "L7", "L8", "R1", "R2", "R3", "R5", "R7", "R8")),
    *(f"{pair}_{side}" for pair in ("gall", "bulb", "posterior_optic_tubercle") for side in _BOTH_SIDES),
    *("NOc_r", "NOm1_r", "NOm2_r", "NOs_r"),
)

#: Number of a neuropil in CRANT's mesh source, and its name.
NEUROPIL_MESH_DICT: Mapping[int, str] = MappingProxyType(dict(enumerate(_NAMES, start=1)))

#: Names for several neuropils together.
NEUROPIL_UNIONS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {"nodulus_right": ("NOc_r", "NOm1_r", "NOm2_r", "NOs_r")}
)


def get_supported_neuropil_mesh_labels(
    dataset: str | Dataset | None = None, *, source: str | Path | None = None
) -> list[str]:
    """Return names of neuropils: all that are known, or those that a dataset really has.

    Parameters
    ----------
    dataset : str, Dataset or None
        Name or alias. Left out, as `source`: all of CRANT's names, whether some dataset has them or not.
    source : str or Path, optional
        As in `load_neuropil_mesh`.

    Returns
    -------
    list of str
        CRANT's neuropils by number, other files of a folder, then unions all of whose parts are there: each is a name
        that `load_neuropil_mesh` takes.

    Raises
    ------
    InvalidInput
        The dataset has no source of neuropils, or there is no such folder.
    SourceError

    Notes
    -----
    All of CRANT's names need no server. A precomputed source does not list its meshes: one request for each number.
    """
    if dataset is None and source is None:
        return _known()
    from crant_core.neuropils.meshes import labels_at

    return labels_at(dataset, source=source)


def _known() -> list[str]:
    return [*NEUROPIL_MESH_DICT.values(), *NEUROPIL_UNIONS]


def parts_of(name: str) -> tuple[str, ...]:
    """Return the neuropils that a name stands for: itself, or the parts of a union.

    Raises
    ------
    NoMatchesError
        With the nearest known names.
    """
    if name in NEUROPIL_UNIONS:
        return NEUROPIL_UNIONS[name]
    if name in NEUROPIL_MESH_DICT.values():
        return (name,)
    raise unknown(name, _known())


def number_of(name: str) -> int:
    """Return the number of a neuropil, which is no union."""
    return next(number for number, known in NEUROPIL_MESH_DICT.items() if known == name)


def unknown(name: object, known: list[str]) -> NoMatchesError:
    """Return the error for a name that is not known, with those that are near it."""
    near = get_close_matches(str(name), known, n=3, cutoff=0.5)
    hint = f"did you mean {' or '.join(near)}?" if near else f"known: {', '.join(known)}"
    return NoMatchesError(f"no neuropil is called {name!r}", value=name, hint=hint)
