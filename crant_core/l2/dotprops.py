"""Neurons as points with directions."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from crant_core.access import source_of
from crant_core.datasets import Dataset
from crant_core.errors import CrantError, InvalidParameters, SkeletonError
from crant_core.l2.chunks import Features, chunks_of, column, features_of, first_axes
from crant_core.meshes.bulk import check_omission, in_order, roots_of
from crant_core.meshes.neurons import check_known
from crant_core.sources.cave import CaveSource
from crant_core.sources.chunkedgraph_requests import Ids

_SEED = 42  # the same sample of a neuron every time
_FOUND = frozenset({"points", "k", "vect", "alpha"})
_WANTED = ("rep_coord_nm", "size_nm3", "pca")


@dataclass(frozen=True, slots=True)
class _Choice:
    """Which chunks are wanted: the least volume, nm³, and the share of those."""

    min_size: float | None
    share: float


def get_l2_dotprops(  # noqa: PLR0917 - the documented order
    root_ids: Any,
    min_size: float | None = None,
    sample: float | bool = False,
    omit_failures: bool | None = None,
    progress: bool = True,
    max_threads: int = 10,
    *,
    dataset: str | Dataset | None = None,
    **kwargs: Any,
) -> Any:
    """Make dotprops with a point for each L2 chunk, for comparing neurons.

    Source: `POST /segmentation/api/v1/table/{table}/node/leaves_many` for 1,000 neurons at a time, and
    `POST /l2cache/api/v1/table/{table}/attributes` for 2,000 chunks at a time.

    Parameters
    ----------
    root_ids : ids or neurons
        Root ids as integers or strings, one or many; navis neurons; anything with `get_roots()`. Old roots work too.
    min_size : float, optional
        Leave out smaller chunks, nm³.
    sample : float, optional
        Keep this share of the chunks, more than 0 and at most 1, at least one of each neuron. They are chosen at
        random, but the same ones every time; NumPy's global random numbers are left alone.
    omit_failures : bool, optional
        What to do about neurons that are no roots, or of which no chunk is left: None raises, True leaves them out,
        False puts empty ones in their places; the last two log a warning. Trouble with a server always raises.
    progress : bool
        Whether to show a bar if it takes longer than two seconds.
    max_threads : int, default 10
        Requests on their way at a time.
    dataset : str or Dataset, optional
        Name or alias; left out, the default dataset.
    **kwargs
        For `navis.Dotprops`, such as `name`.

    Returns
    -------
    navis.NeuronList
        Of Dotprops, also for one id, in input order, repetitions kept as copies. Points are the chunks' representative
        points, nm, by L2 id; directions their first principal axes, of length 1; `k` is None, and there are no alphas.
        Chunks that the L2 cache does not know, or that are too small to have an axis, have no point;
        `_l2_chunks_missing` says how many these are.

    Raises
    ------
    InvalidId
        Something is no root id.
    InvalidParameters
        `sample` is no share, `min_size` no number, or an option is what this function finds, such as `vect`.
    NotARoot
        The dataset has no such root.
    SkeletonError
        No chunk of a neuron is left.
    SourceError
    """
    import navis

    check_omission(omit_failures)
    _check_names(kwargs)
    choice = _Choice(_least(min_size), _share(sample))
    source = source_of(dataset)
    roots = roots_of(source, root_ids)
    chunks = chunks_of(source, roots, progress=progress, known=omit_failures is None)
    features = features_of(source, chunks, _WANTED, threads=max_threads, progress=progress)
    outcomes = {root: _outcome(source, root, ids, features, choice) for root, ids in chunks.items()}
    nothing = (np.empty((0, 3)), np.empty((0, 3)), 0)

    def make(root: int, found: tuple[NDArray[np.float64], NDArray[np.float64], int]) -> Any:
        points, axes, missing = found
        given = {"id": root, "units": "1 nm"} | kwargs
        neuron = navis.Dotprops(points.copy(), k=None, vect=axes.copy(), **given)
        neuron._l2_chunks_missing = missing
        return neuron

    return navis.NeuronList(in_order(roots, outcomes, make, lambda root: make(root, nothing), omit_failures))


def _check_names(given: Iterable[str]) -> None:
    for name in _FOUND.intersection(given):
        hint = "others, such as name, are for navis.Dotprops"
        raise InvalidParameters(f"{name} of the dotprops is found here and cannot be given", value=name, hint=hint)


def _least(min_size: Any) -> float | None:
    if min_size is None:
        return None
    if isinstance(min_size, bool) or not isinstance(min_size, int | float | np.number) or not np.isfinite(min_size):
        raise InvalidParameters(f"min_size is {min_size!r}", value=min_size, hint="a finite number of nm³")
    return float(min_size)


def _share(sample: Any) -> float:
    if sample is None or sample is False:
        return 1.0
    if isinstance(sample, bool) or not isinstance(sample, int | float | np.number) or not 0 < sample <= 1:
        raise InvalidParameters(f"sample is a share, not {sample!r}", value=sample, hint="0.1 keeps a tenth")
    return float(sample)


def _outcome(
    source: CaveSource, root: int, ids: Ids, features: Features, choice: _Choice
) -> tuple[NDArray[np.float64], NDArray[np.float64], int] | CrantError:
    try:
        check_known(source, root, ids)
    except CrantError as error:
        return error
    points, axes = column(features, ids, "rep_coord_nm"), first_axes(features, ids)
    usable = np.isfinite(points[:, 0]) & np.isfinite(axes[:, 0])
    chosen = np.flatnonzero(usable & _large(features, ids, choice.min_size))
    if not len(chosen):
        message = (
            f"the L2 cache knows {usable.sum()} of the {len(ids)} L2 chunks of {root} with a place and a direction"
        )
        message += "" if choice.min_size is None else f", and none of those has {choice.min_size:g} nm³ or more"
        hint = "fresh edits are added with a delay" if choice.min_size is None else "give a smaller min_size"
        return SkeletonError(message, value=root, hint=hint)
    chosen = _sampled(chosen, choice.share)
    return points[chosen], axes[chosen], int((~usable).sum())


def _large(features: Features, ids: Ids, min_size: float | None) -> NDArray[np.bool_]:
    if min_size is None:
        return np.ones(len(ids), dtype=np.bool_)
    return np.asarray(column(features, ids, "size_nm3") >= min_size)


def _sampled(chosen: NDArray[np.intp], share: float) -> NDArray[np.intp]:
    count = max(1, round(len(chosen) * share))
    return np.sort(np.random.default_rng(_SEED).choice(chosen, count, replace=False)) if share < 1 else chosen
