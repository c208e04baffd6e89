"""Which segments a layer shows, hides, groups and colours. Layers and scenes are changed in place."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import deepcopy
from typing import Any

from crant_core.errors import InvalidInput
from crant_core.neuroglancer.layers import Layer
from crant_core.neuroglancer.scenes import Scene, add_layer
from crant_core.parsing import is_missing, root_ids_of
from crant_core.values import is_many

_HIDDEN = "!"  # before the id of a segment that is listed, but not shown
_LEGACY_HIDDEN = "hiddenSegments"  # where older Neuroglancers keep them; newer ones do not mind it


def is_shown(segment: str) -> bool:
    """Say whether an entry of a layer's segments is shown."""
    return not segment.startswith(_HIDDEN)


def id_of(segment: str) -> str:
    """Return the id in an entry of a layer's segments."""
    return segment.removeprefix(_HIDDEN)


def listed(layer: Mapping[str, Any]) -> list[str]:
    """Return a layer's segments, those that are not shown with `!`, wherever and however they are written."""
    found = [str(segment) for segment in layer.get("segments", [])]
    legacy = [f"{_HIDDEN}{segment}" for segment in layer.get(_LEGACY_HIDDEN, []) if str(segment) not in found]
    return list(dict.fromkeys([*found, *legacy]))


def show(layer: Layer, ids: Sequence[int]) -> None:
    """Add segments, and show those that were hidden."""
    mine = list(dict.fromkeys(map(str, ids)))
    others = [segment for segment in listed(layer) if is_shown(segment) or id_of(segment) not in mine]
    _set(layer, [*others, *(one for one in mine if one not in others)])


def hide(layer: Layer, ids: Sequence[int]) -> None:
    """Add segments that are listed but not shown."""
    mine = list(dict.fromkeys(map(str, ids)))
    others = [segment for segment in listed(layer) if id_of(segment) not in mine]
    _set(layer, [*others, *(f"{_HIDDEN}{one}" for one in mine)])


def _set(layer: Layer, segments: list[str]) -> None:
    layer["segments"] = segments
    hidden = [id_of(segment) for segment in segments if not is_shown(segment)]
    layer.pop(_LEGACY_HIDDEN, None)
    if hidden:
        layer[_LEGACY_HIDDEN] = hidden


def color(layer: Layer, colors: Mapping[int, str]) -> None:
    """Give segments colours; others keep theirs."""
    if colors:
        layer["segmentColors"] = layer.get("segmentColors", {}) | {str(key): value for key, value in colors.items()}


def add_groups(scene: Scene, layer: Layer, groups: Mapping[str, Sequence[int]], colors: Mapping[int, str]) -> None:
    """Add a hidden copy of a layer for each group of segments."""
    for name, ids in groups.items():
        copied = deepcopy(layer) | {"name": name, "segments": [], "visible": False}
        for key in (_LEGACY_HIDDEN, "segmentColors"):
            copied.pop(key, None)
        show(copied, ids)
        color(copied, {root_id: colors[root_id] for root_id in ids if root_id in colors})
        add_layer(scene, copied)


def groups_of(ids: Sequence[int], groups: Any) -> dict[str, list[int]]:
    """Read groups: a mapping from names to ids, or a label for each id; who has none is in no group.

    Raises
    ------
    InvalidInput
        Not as many labels as ids, or none at all.
    """
    if isinstance(groups, Mapping):
        return {str(name): root_ids_of(members).tolist() for name, members in groups.items()}
    if not is_many(groups):
        hint = "give a label for each segment, or {name: [id, …]}"
        raise InvalidInput(f"{groups!r} are no groups", value=repr(groups)[:100], hint=hint)
    labels = groups.tolist() if hasattr(groups, "tolist") else list(groups)
    if len(labels) != len(ids):
        message = f"there are {len(labels)} labels of groups for {len(ids)} segments"
        raise InvalidInput(message, value=len(labels), hint="give one for each, or {name: [id, …]}")
    found: dict[str, list[int]] = {}
    for root_id, label in zip(ids, labels, strict=True):
        if not is_missing(label):
            found.setdefault(f"group_{label}", []).append(root_id)
    return found
