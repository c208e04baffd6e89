"""Many neurons in one call: what was asked for, several at a time, and what to do about those that fail."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from crant_core.errors import CrantError, DataMissing, InvalidParameters, NotFound, SkeletonError
from crant_core.identity.validity import check_layer
from crant_core.parsing import root_ids_of
from crant_core.progress import Progress, reporting
from crant_core.sources.cave import CaveSource
from crant_core.sources.chunks import in_threads
from crant_core.values import is_many

FAILURES = (NotFound, DataMissing, SkeletonError)  #: what may be wrong with one neuron; all else concerns the server
_log = logging.getLogger(__name__)
Item = TypeVar("Item")
Result = TypeVar("Result")


def roots_of(source: CaveSource, neurons: Any) -> list[int]:
    """Read root ids in any form people have them, in input order, repetitions kept.

    Raises
    ------
    InvalidId
        Something is no id, or one of an L2 chunk or supervoxel.
    """
    found: list[int] = root_ids_of(neurons).tolist()
    check_layer(found, source.root_layer(), "root id")
    return found


def is_one(neurons: Any) -> bool:
    """Say whether one neuron was named, and not a list of one."""
    if hasattr(neurons, "get_roots") or hasattr(neurons, "columns"):
        return False
    return not is_many(neurons) or getattr(neurons, "ndim", 1) == 0 or _is_neuron(neurons)


def _is_neuron(value: Any) -> bool:
    import navis

    return isinstance(value, navis.BaseNeuron)


def check_omission(omit_failures: Any) -> None:
    """Refuse what is none of the three ways to treat failures.

    Raises
    ------
    InvalidParameters
    """
    if not (omit_failures is None or isinstance(omit_failures, bool)):
        hint = "None raises, True leaves such neurons out, False puts empty ones in their places"
        raise InvalidParameters(f"omit_failures cannot be {omit_failures!r}", value=omit_failures, hint=hint)


def check_threads(threads: Any) -> None:
    """Refuse what is no number of threads.

    Raises
    ------
    InvalidParameters
    """
    if isinstance(threads, bool) or not hasattr(threads, "__index__") or threads < 1:
        raise InvalidParameters(f"{threads!r} is no number of threads", value=threads, hint="a whole number, 1 or more")


def at_once(
    function: Callable[[Item], Result],
    items: Sequence[Item],
    threads: int,
    *,
    progress: Progress = False,
    what: str = "",
) -> list[Result]:
    """Call a function with each item, some at a time; the first failure ends it. `progress` counts items.

    Returns
    -------
    list
        In the order of the items.
    """
    check_threads(threads)
    with reporting(progress, len(items), what) as done:

        def one(number: int) -> Result:
            result = function(items[number])
            done(1)
            return result

        return in_threads(one, len(items), threads, progress=False)


def caught(function: Callable[[int], Result], omit_failures: bool | None) -> Callable[[int], Result | CrantError]:
    """Let a function return what is wrong with a neuron, instead of raising it, unless nothing may be wrong."""

    def careful(root: int) -> Result | CrantError:
        try:
            return function(root)
        except FAILURES as error:
            if omit_failures is None:
                raise
            return error

    return careful


def in_order(
    roots: Sequence[int],
    outcomes: Mapping[int, Any],
    make: Callable[[int, Any], Any],
    empty: Callable[[int], Any],
    omit_failures: bool | None,
) -> list[Any]:
    """Make neurons of what was found, in the order of the roots; one that is wanted twice comes as two objects.

    Parameters
    ----------
    roots : sequence of int
    outcomes : mapping
        By root: what is handed to `make`, or one of `FAILURES`.
    make, empty : callable
        Return a neuron, and a neuron without anything.
    omit_failures : bool or None
        None raises the failure; True leaves the neuron out, False puts an empty one in its place, and both log it.
    """
    found: list[Any] = []
    for root in roots:
        outcome = outcomes[root]
        if not isinstance(outcome, CrantError):
            found.append(make(root, outcome))
            continue
        if omit_failures is None:
            raise outcome
        _log.warning("%s is %s: %s", root, "left out" if omit_failures else "empty", outcome)
        found += [] if omit_failures else [empty(root)]
    return found


def as_asked(found: list[Any], one: bool) -> Any:
    """Return the neuron if one was asked for and is there, else a NeuronList."""
    import navis

    return found[0] if one and found else navis.NeuronList(found)
