"""Neurons of any age to the neurons of a job, at its one point in time."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from crant_core.errors import NotARoot
from crant_core.identity.memory import Memory
from crant_core.identity.updates import Questions, _Updater
from crant_core.ids import layer_of
from crant_core.kinds.base import Context, PlannedItem

_COUNTED = 2  # L2 chunks: what `update_ids` counts if nothing is said


def items_of(context: Context, ids: Sequence[int]) -> list[PlannedItem]:
    """Make each neuron an item under its root id at the job's time.

    Ids that are one neuron by then are one item, whose metric `asked` names all of them.
    """
    layer = context.source.root_layer()
    roots = roots_of(context, ids)
    asked: dict[int, list[int]] = {}
    for one in dict.fromkeys(ids):
        asked.setdefault(roots.get(one, one), []).append(one)
    return [_planned(root, some, layer, found=some[0] in roots) for root, some in asked.items()]


def roots_of(context: Context, ids: Iterable[int]) -> dict[int, int]:
    """Return the root of each id at the job's time; those that are none and became none are left out.

    Source: as `crant_core.update_ids`, of which this is the inner half: its source is the job's.
    """
    source: Any = context.source
    layer = source.root_layer()
    known = [one for one in dict.fromkeys(ids) if layer_of(one) == layer]
    if not known:
        return {}
    memory, no_annotations = Memory.of(source.graph), dict[int, int]
    updater = _Updater(source.graph, context.time.timestamp, memory, no_annotations, _COUNTED, progress=False)
    answers = updater.answers(Questions([*known], [None] * len(known)))
    return {one: answer[0] for one, answer in zip(known, answers, strict=True) if answer is not None}


def types_of(context: Context, given: Mapping[int, str]) -> dict[int, str]:
    """Return types by root at the job's time; of several ids that are one neuron then, the first one's."""
    roots = roots_of(context, given)
    found: dict[int, str] = {}
    for one, name in given.items():
        if one in roots:
            found.setdefault(roots[one], name)
    return found


def _planned(root: int, asked: Sequence[int], layer: int, *, found: bool) -> PlannedItem:
    if found:
        return PlannedItem(key=str(root), metrics={"asked": ", ".join(map(str, asked)), "changed": asked != [root]})
    of_layer = layer_of(root)
    wrong = f"an id of layer {of_layer}, not a root (layer {layer})" if of_layer != layer else "no root and became none"
    return PlannedItem(key=str(root), error=NotARoot(f"{root} is {wrong}", value=root))
