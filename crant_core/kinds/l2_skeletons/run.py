"""Makes a node of each L2 chunk; loaded by workers only. The neurons of a unit are looked up together."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from time import perf_counter
from typing import Any

from crant_core.errors import CrantError
from crant_core.ids import parse_id
from crant_core.kinds import roots, skeletons
from crant_core.kinds.base import Context, DoneItem, File, ItemResult
from crant_core.kinds.l2_skeletons.spec import SPEC, L2SkeletonsOptions
from crant_core.l2.skeletons import skeletons_of
from crant_core.morphology.made import Made
from crant_core.morphology.making import of_l2

Outcomes = dict[int, Made | CrantError]

plan = roots.items_of  # each distinct id is an item


def prepare(context: Context, keys: Sequence[str]) -> Outcomes:
    """Look up the chunks of all neurons of a unit: three requests for all of them, and one for each.

    Raises
    ------
    SourceError
    """
    began, wanted = perf_counter(), [parse_id(key) for key in keys]
    source: Any = context.source
    failures: dict[int, CrantError] = {}
    found = skeletons_of(source, wanted, omit_failures=True, failures=failures)
    seconds, chunks = perf_counter() - began, [neuron.n_nodes + neuron._l2_chunks_missing for neuron in found]
    shares = [seconds * count / sum(chunks) for count in chunks]  # what is asked grows with the chunks
    made = {neuron.id: of_l2(neuron.id, neuron, share) for neuron, share in zip(found, shares, strict=True)}
    latest = source.is_latest(list(made), context.time.timestamp)
    dated = {root: replace(made[root], is_latest=bool(holds)) for root, holds in zip(made, latest, strict=True)}
    return {**failures, **dated}


def run(context: Context, key: str) -> ItemResult:
    """Write one neuron's skeleton.

    Raises
    ------
    NotARoot
    SkeletonError
        It has one L2 chunk only, or the L2 cache knows none of them.
    SourceError
    """
    outcomes: Outcomes = context.prepared or prepare(context, [key])
    made = outcomes[parse_id(key)]
    if isinstance(made, CrantError):
        raise made
    return skeletons.result(context, SPEC, made, _options(context).formats)


def finish(context: Context, items: Iterable[DoneItem]) -> list[File]:
    """Summarize the job: `neurons.parquet`, and `skeletons.png` when there is something to draw."""
    return skeletons.summary(context, SPEC, items, _options(context).formats)


def _options(context: Context) -> L2SkeletonsOptions:
    return L2SkeletonsOptions.model_validate(context.parameters)
