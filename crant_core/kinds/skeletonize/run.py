"""Skeletonizes neurons: mesh in, skeleton out; loaded by workers only."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from crant_core.ids import parse_id
from crant_core.kinds import roots, skeletons
from crant_core.kinds.base import Context, DoneItem, File, ItemResult
from crant_core.kinds.skeletonize.spec import SPEC, SkeletonizeOptions
from crant_core.morphology.choices import SKELETOR, WAVEFRONT, Choices, chosen
from crant_core.morphology.making import make

_OF_ENGINE = (
    "heal",
    "find_soma",
    "longest_step",
    "min_component",
    "min_twig",
    "twig_radii",
    "tip_reach",
    "centre",
    "soma_ratio",
    "soma_radius",
    "soma_reach",
)

plan = roots.items_of  # each distinct id is an item


def run(context: Context, key: str) -> ItemResult:
    """Skeletonize one neuron, from its whole mesh or not at all.

    Raises
    ------
    NotARoot
    MeshNotFound
    DataMissing
        The mesh is not whole yet.
    SkeletonError
    IdMismatch
    SourceError
    """
    options = _options(context)
    made = make(context.source, parse_id(key), choices_of(options))
    return skeletons.result(context, SPEC, made, options.formats)


def finish(context: Context, items: Iterable[DoneItem]) -> list[File]:
    """Summarize the job: `neurons.parquet`, and `skeletons.png` when there is something to draw."""
    return skeletons.summary(context, SPEC, items, _options(context).formats)


def choices_of(options: SkeletonizeOptions) -> Choices:
    """Return what the method has use for."""
    return chosen(
        options.method,
        {"elsewhere": options.elsewhere, **_of_method(options)},
        shave_skeleton=options.shave,
        remove_soma_hairball=options.remove_soma_hairball,
        assert_id_match=options.assert_id_match,
    )


def _of_method(options: SkeletonizeOptions) -> dict[str, Any]:
    step = {} if options.step_size is None else {"step_size": options.step_size}
    if options.method == WAVEFRONT:
        return {name: getattr(options, name) for name in _OF_ENGINE} | step
    if options.method == SKELETOR:
        return {"waves": options.waves, "heal": options.heal} | {name: int(value) for name, value in step.items()}
    return {}


def _options(context: Context) -> SkeletonizeOptions:
    return SkeletonizeOptions.model_validate(context.parameters)
