"""Skeletons from wherever they are: CAVE's service has some ready, the others are made."""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from crant_core.datasets import Dataset
from crant_core.errors import CrantError
from crant_core.meshes.bulk import as_asked, at_once, caught, check_omission, check_threads
from crant_core.morphology.choices import SERVICE
from crant_core.morphology.made import Made
from crant_core.morphology.matching import checked
from crant_core.morphology.neurons import Order, listed, ordered
from crant_core.morphology.parallel import half_the_processors
from crant_core.morphology.service import cached

_log = logging.getLogger(__name__)


def get_skeletons(
    root_ids: Any,
    dataset: str | Dataset | None = None,
    progress: bool = True,
    omit_failures: bool | None = None,
    max_threads: int = 6,
    **kwargs: Any,
) -> Any:
    """Fetch skeletons from CAVE's service, and make those that it does not have ready.

    The two are not alike: the service's have a node for each L2 chunk, some 2 µm apart, those that are made here follow
    the mesh. `skeleton_method` of each neuron says which it is (`service`, or `wavefront`), and each that was made is
    logged. With a `method`, all are made by it.

    Source: `POST /skeletoncache/api/v1/{datastack}/bulk/get_cached_skeletons/4/flatdict` for 50 neurons at a time;
    nothing is ordered there. For the others, see `skeletonize_neuron`.

    Parameters
    ----------
    root_ids : ids or neurons
        Root ids as integers or strings, one or many; navis neurons; anything with `get_roots()`. Old roots work too.
    dataset : str or Dataset, optional
        Name or alias; left out, the default dataset.
    progress : bool, default True
        Whether to show a bar if it takes longer than two seconds.
    omit_failures : bool, optional
        What to do about neurons of which there is no skeleton and none can be made: None raises, True leaves them out,
        False puts empty neurons in their places; the last two log a warning. Trouble with the server always raises.
    max_threads : int, default 6
        Requests on their way at a time, and neurons that are made; half of the processors compute.
    **kwargs
        For `skeletonize_neuron`, for those that are made: with `method` or `use_pcg_skel` these are all.
        `assert_id_match` checks the service's too.

    Returns
    -------
    navis.NeuronList
        Of navis.TreeNeuron, in input order, repetitions kept as copies; also for one id. Positions and radii in nm. The
        service's have columns `compartment` (1 soma, 2 axon, 3 dendrite, 0 not known) and `lvl2_ids`. Attributes as
        of `skeletonize_neuron`; `provenance["note"]` says why one was made.

    Raises
    ------
    InvalidId
    InvalidParameters
    UnknownDataset
    NotARoot
    MeshNotFound
    DataMissing
    SkeletonError
    IdMismatch
    SourceError
    """
    check_omission(omit_failures)
    check_threads(max_threads)
    is_made = kwargs.get("method") is not None or bool(kwargs.get("use_pcg_skel"))
    order, roots = ordered(dataset, root_ids, kwargs, first="" if is_made else SERVICE)
    fetch = _made if is_made else _from_service
    outcomes = fetch(order, roots, max_threads, omit_failures, progress)
    return as_asked(listed(order, roots, outcomes, omit_failures), one=False)


def _made(
    order: Order, roots: Sequence[int], threads: int, omit_failures: bool | None, progress: bool
) -> dict[int, Made | CrantError]:
    distinct, slots = list(dict.fromkeys(roots)), threading.Semaphore(half_the_processors())
    one = caught(lambda root: order.make(root, slots), omit_failures)
    came = at_once(one, distinct, threads, progress=progress, what="skeletons")
    return dict(zip(distinct, came, strict=True))


def _from_service(
    order: Order, roots: Sequence[int], threads: int, omit_failures: bool | None, progress: bool
) -> dict[int, Made | CrantError]:
    distinct, slots = list(dict.fromkeys(roots)), threading.Semaphore(half_the_processors())
    found, missing = cached(order.source, distinct, threads, progress=progress) if distinct else ({}, {})

    def one(root: int) -> Made:
        if root in found:
            return _taken(order, found[root])
        _log.info("%s is made here: %s", root, missing[root])
        made = order.make(root, slots)
        return replace(made, note="; ".join(filter(None, (missing[root], made.note))))

    came = at_once(caught(one, omit_failures), distinct, threads, progress=progress, what="skeletons")
    return dict(zip(distinct, came, strict=True))


def _taken(order: Order, made: Made) -> Made:
    """Check and save a skeleton of the service, as one that is made here would be."""
    made, share = order.dated(made), order.choices.most_elsewhere
    if share is not None:
        made = replace(made, match=checked(order.source, made, share))
    if order.files is not None:
        order.files.save(made, order.source.dataset, order.time)
    return made
