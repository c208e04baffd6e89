"""Brings neurons up to date: ids, skeletons, synapses, matrices, each as a job; and says what changed.

Only what was edited is done again. A root's skeleton never changes, so a root that is known has one. Its synapses are
those of the run before if no partner of it was edited since (`crant_core.synapses.changes`), and so are its counts.
Loaded by workers only.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from crant_core.errors import NoMatchesError
from crant_core.ids import parse_id
from crant_core.kinds.attach_synapses.spec import AttachSynapsesOptions
from crant_core.kinds.base import AS_OF, Context, DoneItem, EndedItem, Feed, File, JobResults, Pipeline, Step
from crant_core.kinds.neuropil_matrices.spec import NeuropilMatricesOptions
from crant_core.kinds.refresh import reporting
from crant_core.kinds.refresh.reading import ATTACH, MATRICES, SKELETONS, UPDATES, neurons_of
from crant_core.kinds.refresh.spec import FLAGS, SPEC, RefreshOptions
from crant_core.kinds.skeletonize.spec import SkeletonizeOptions
from crant_core.kinds.update_ids.spec import UpdateIdsOptions
from crant_core.neurons import NeuronCriteria
from crant_core.synapses.changes import changes

_AFTER = {SKELETONS: (UPDATES,), ATTACH: (SKELETONS,), MATRICES: (UPDATES,)}


def steps(context: Context, ids: Sequence[int]) -> Pipeline:
    """Find the neurons at the job's time, and say which jobs are made for them: none if there is no neuron.

    Raises
    ------
    InvalidParameters
        The run to compare with is no such run.
    FilteringError
    SourceError
    """
    options = _options(context)
    previous = context.previous(options.compare_with)
    found = list(dict.fromkeys(ids)) if options.criteria is None else _fitting(context, options.criteria)
    named = [step for step in _AFTER if step in options.steps]
    made = [Step(name=UPDATES, kind=UPDATES), *(Step(name=one, kind=one, after=_AFTER[one]) for one in named)]
    return Pipeline(steps=made if found else (), ids=found, previous=previous.id if previous else None)


def feed(context: Context, step: str) -> Feed:
    """Say what a step works on: what the steps before it found, and what of the run before still holds."""
    options, this = _options(context), context.pipeline()
    if step == UPDATES:
        return Feed(
            ids=_known(this, context.previous(None)), parameters=_dumped(options.update_ids or UpdateIdsOptions())
        )
    if step == SKELETONS:
        return Feed(ids=neurons_of(this), parameters=_dumped(options.skeletonize or SkeletonizeOptions()))
    if step == ATTACH:
        skeletons = this.steps()[SKELETONS]
        roots = [parse_id(item.key) for item in skeletons.items() if item.error_code is None]
        chosen = _dumped(options.attach_synapses or AttachSynapsesOptions()) | {"skeletons": skeletons.id}
        return Feed(ids=roots, parameters=chosen, **_carried(context, ATTACH, roots, chosen))
    roots = neurons_of(this)
    chosen = _dumped(options.neuropil_matrices or NeuropilMatricesOptions())
    return Feed(ids=roots, parameters=chosen, **_carried(context, MATRICES, roots, chosen))


def finish(context: Context, items: Iterable[DoneItem]) -> list[File]:
    """Compare with the run before, and report."""
    return reporting.files(context, SPEC, _options(context).shown)


def is_like(run: JobResults, other: JobResults) -> bool:
    """Say whether a run is of the same neurons: by the same criteria, or the same list of ids."""
    criteria = [one.parameters.get("criteria") for one in (run, other)]
    return criteria[0] == criteria[1] and (criteria[0] is not None or list(run.ids()) == list(other.ids()))


def _fitting(context: Context, criteria: Mapping[str, Any]) -> list[int]:
    """Find the neurons that fit at the job's time; that nobody does is an answer."""
    flags = {name: value for name, value in criteria.items() if name in FLAGS}
    fields = {name: value for name, value in criteria.items() if name not in FLAGS}
    wanted = NeuronCriteria(dataset=context.source.dataset, clear_cache=True, **flags, **fields).at(context.time)
    try:
        return [int(root) for root in wanted.get_roots()]
    except NoMatchesError:
        return []


def _known(this: JobResults, previous: JobResults | None) -> list[int]:
    """Return this run's ids, and the roots of the run before, of which the report says what became."""
    return list(dict.fromkeys([*this.ids(), *(neurons_of(previous) if previous else ())]))


def _carried(
    context: Context, step: str, roots: Sequence[int], chosen: Mapping[str, Any]
) -> dict[str, dict[str, datetime]]:
    """Say of which neurons the synapses are what they were in the run before, and of which but for edited partners.

    The second only if every pair of neurons counts: an edit moves single synapses from one partner to another, and
    below a threshold nobody knows of them any more.
    """
    previous = context.previous(None)
    before = previous.steps().get(step) if previous else None
    if before is None or before.time is None:
        return {}
    then = {item.key: _as_of(item, before.time.timestamp) for item in before.items() if item.error_code is None}
    same = [root for root in roots if str(root) in then]
    source: Any = context.source
    found = changes(source, same, before.time, context.time)
    if found is None:
        return {}
    touched = found.outputs if step == MATRICES else found.outputs | found.inputs
    return {
        "since": {str(root): then[str(root)] for root in same if root not in touched},
        "earlier": {str(root): then[str(root)] for root in same if root in touched and chosen["threshold"] == 1},
    }


def _as_of(item: EndedItem, moment: datetime) -> datetime:
    noted = item.metrics.get(AS_OF)
    return moment if noted is None else datetime.fromisoformat(noted)


def _dumped(options: Any) -> dict[str, Any]:
    found: dict[str, Any] = options.model_dump(mode="json")
    return found


def _options(context: Context) -> RefreshOptions:
    return RefreshOptions.model_validate(context.parameters)
