"""Skeletons of many neurons on several processors.

In threads: the engine's kernels let go of the interpreter's lock, and meshes need not be sent anywhere. Four meshes of
0.74 million faces take 1.01 s one after the other, 0.61 s in two threads, and 0.78 s in two processes, which also need
2.5 s or more to start (two cores). Small decimated meshes gain from neither.
"""

from __future__ import annotations

import logging
import os
import threading
import warnings
from collections import Counter
from collections.abc import MutableMapping, Sequence
from typing import Any

from crant_core.errors import CrantError, InvalidParameters
from crant_core.meshes.bulk import as_asked, at_once, check_omission
from crant_core.morphology.made import Made
from crant_core.morphology.neurons import Order, listed, ordered

_WAITING = 2  # threads more than processors: they download while the others compute
_EXAMPLES = 3
_log = logging.getLogger(__name__)

Outcomes = dict[int, Made | CrantError]


def skeletonize_neurons_parallel(
    client: Any,
    root_ids: Any,
    n_cores: int | None = None,
    progress: bool = True,
    color_map: Any = None,
    *,
    omit_failures: bool | None = True,
    failures: dict[int, CrantError] | None = None,
    **kwargs: Any,
) -> Any:
    """Make the skeletons of many neurons, several at a time.

    A neuron that fails fails alone, and those that are done are saved (`save_to`) whatever happens to the others.

    Source: see `skeletonize_neuron`.

    Parameters
    ----------
    client : CAVEclient, DatasetClient, str, Dataset or None
        As for `skeletonize_neuron`.
    root_ids : ids or neurons
        Root ids as integers or strings; navis neurons; anything with `get_roots()`.
    n_cores : int, optional
        Skeletons that are computed at a time, in threads; two more neurons are downloaded meanwhile. Left out, half of
        the processors.
    progress : bool, default True
        Whether to show a bar if it takes longer than two seconds.
    color_map : str or matplotlib.colors.Colormap, optional
        Return colours too, spread over this map: of names that matplotlib has, such as `"viridis"`.
    omit_failures : bool or None, default True
        What to do about neurons of which no skeleton can be made, for whatever reason: True leaves them out, False puts
        empty neurons in their places, and both log each and warn once; None raises the first one's when all are done.
        If all fail, the first one's reason is raised.
    failures : dict, optional
        Takes what is wrong with each neuron that failed, by root.
    **kwargs
        For `skeletonize_neuron`.

    Returns
    -------
    navis.NeuronList
        In input order, repetitions kept as copies.
    list of str
        Only with `color_map`: `#rrggbb` for each neuron of the list.

    Warns
    -----
    UserWarning
        Some neurons failed; it says how many, and why.

    Raises
    ------
    InvalidId
    InvalidParameters
        There is no such option or colour map, no processor shall be used, or `failures` is no dict; before anything is
        asked.
    CrantError
        All neurons failed; see `skeletonize_neuron`.
    """
    check_omission(omit_failures)
    _check_failures(failures)
    cores, colours = _cores(n_cores), None if color_map is None else _colour_map(color_map)
    order, roots = ordered(client, root_ids, kwargs)
    outcomes = _made(order, roots, cores, progress)
    _report(outcomes, omit_failures, failures)
    found = as_asked(listed(order, roots, outcomes, omit_failures), one=False)
    return found if colours is None else (found, spread(colours, len(found)))


def spread(colours: Any, count: int) -> list[str]:
    """Return `count` colours from one end of a map to the other, `#rrggbb`."""
    from matplotlib.colors import to_hex

    return [to_hex(colours(number / max(1, count - 1))) for number in range(count)]


def half_the_processors() -> int:
    """Return how many skeletons are computed at a time, where nobody says."""
    return max(1, (os.cpu_count() or 1) // 2)


def _cores(n_cores: int | None) -> int:
    wanted = half_the_processors() if n_cores is None else n_cores
    if isinstance(wanted, bool) or not hasattr(wanted, "__index__") or wanted < 1:
        raise InvalidParameters(f"n_cores is {wanted!r}", value=wanted, hint="a whole number, 1 or more")
    return int(wanted)


def _colour_map(name: Any) -> Any:
    from matplotlib import colormaps
    from matplotlib.colors import Colormap

    if isinstance(name, Colormap):
        return name
    if name not in colormaps:
        raise InvalidParameters(f"matplotlib has no colour map {name!r}", value=name, hint="such as viridis or tab10")
    return colormaps[name]


def _made(order: Order, roots: Sequence[int], cores: int, progress: bool) -> Outcomes:
    slots = threading.Semaphore(cores)

    def one(root: int) -> Made | CrantError:
        try:
            return order.make(root, slots)
        except CrantError as error:
            return error

    distinct = list(dict.fromkeys(roots))
    came = at_once(one, distinct, cores + _WAITING, progress=progress, what="skeletons")
    return dict(zip(distinct, came, strict=True))


def _check_failures(failures: Any) -> None:
    if failures is not None and not isinstance(failures, MutableMapping):
        kind, hint = type(failures).__name__, "a dict; it takes what is wrong with each neuron, by root"
        raise InvalidParameters(f"failures cannot be put into a {kind}", value=kind, hint=hint)


def _report(outcomes: Outcomes, omit_failures: bool | None, failures: dict[int, CrantError] | None) -> None:
    wrong = {root: one for root, one in outcomes.items() if isinstance(one, CrantError)}
    if failures is not None:
        failures.update(wrong)
    if not wrong:
        return
    if omit_failures is None or len(wrong) == len(outcomes):
        raise next(iter(wrong.values()))
    reasons = ", ".join(f"{count} {code}" for code, count in Counter(one.code for one in wrong.values()).most_common())
    some = ", ".join(map(str, list(wrong)[:_EXAMPLES])) + (" …" if len(wrong) > _EXAMPLES else "")
    message = f"{len(wrong)} of {len(outcomes)} neurons have no skeleton ({reasons}): {some}"
    warnings.warn(message, stacklevel=3)
