"""A skeleton with what is known about it, and what files say of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from crant_core.datasets import Dataset
from crant_core.morphology.choices import WAVEFRONT
from crant_core.release import release
from crant_core.skeleton.engine import CODE_VERSION
from crant_core.skeleton.quality import Quality
from crant_core.skeleton.tree import Skeleton
from crant_core.times import TimeBase

Scalar = str | int | float | bool | None


@dataclass(frozen=True, eq=False, kw_only=True)
class Made:
    """A neuron's skeleton.

    Attributes
    ----------
    root : int
        Whose it is.
    skeleton : Skeleton
        In nm.
    method : str
        What made it, in the end.
    soma : int or None
        The node of the cell body, if one was found.
    quality : Quality or None
        How good it is; None where the method does not say.
    columns : mapping of str to ndarray
        More about each node, such as `compartment`.
    choices : mapping
        What was chosen about it.
    cost : mapping
        Seconds, and how much there was to do.
    note : str
        Why it is not what was asked for; empty if it is.
    match : float or None
        Share of nodes that lie in their neuron's voxels; None if nobody looked.
    is_latest : bool or None
        Whether its root holds at the time that is said of it; None if nobody looked.
    """

    root: int
    skeleton: Skeleton
    method: str
    soma: int | None = None
    quality: Quality | None = None
    columns: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    choices: Mapping[str, Scalar] = field(default_factory=dict)
    cost: Mapping[str, float | int] = field(default_factory=dict)
    note: str = ""
    match: float | None = None
    is_latest: bool | None = None


def provenance(made: Made, dataset: Dataset, time: TimeBase) -> dict[str, Scalar]:
    """Say what a skeleton is and how it came about: all of it in each file too, as files travel without us.

    Parameters
    ----------
    made : Made
    dataset : Dataset
    time : TimeBase
        When it was made, or the time of the job. The root itself never changes, but it may not hold then: `is_latest`
        says so.
    """
    about = dataset_facts(dataset)
    engine = f" (engine {CODE_VERSION})" if made.method == WAVEFRONT else ""
    facts: dict[str, Scalar] = {
        "dataset": about["dataset"],
        "datastack": about["datastack"],
        "root_id": str(made.root),
        "timestamp": time.timestamp.isoformat(),
        "materialization_version": time.version,
        **({} if made.is_latest is None else {"is_latest": made.is_latest}),
        "units": "nm",
        "frame": about["frame"],
        "method": made.method,
        **made.choices,
        "code": f"{about['code']}{engine}",
    }
    return facts | ({"note": made.note} if made.note else {})


def dataset_facts(dataset: Dataset) -> dict[str, str]:
    """Say what all skeletons of a dataset have in common that this version of the code makes."""
    return {
        "dataset": dataset.name,
        "datastack": dataset.datastack,
        "frame": f"{dataset.name}, origin at voxel (0, 0, 0)",
        "code": f"crant-batch {release()}",
    }


def header_of(facts: Mapping[str, Scalar]) -> dict[str, str]:
    """Write facts as text, as headers of files have them."""
    return {name: "none" if value is None else str(value) for name, value in facts.items()}


def measured(made: Made) -> dict[str, Scalar]:
    """Return all numbers about a skeleton: its size, its quality and its cost."""
    tree = made.skeleton
    size: dict[str, Scalar] = {
        "n_nodes": tree.n_nodes,
        "cable_length_um": tree.cable_length / 1000,
        "n_branches": tree.n_branches,
        "n_ends": tree.n_ends,
        "n_roots": tree.n_roots,
    }
    quality = {} if made.quality is None else _quality(made.quality)
    match = {} if made.match is None else {"id_match": made.match}
    return size | quality | match | {name: _plain(value) for name, value in made.cost.items()}


def _quality(quality: Quality) -> dict[str, Scalar]:
    """Name the numbers as tables have them: lengths with their unit; roots are the skeleton's own."""
    found = asdict(quality)
    del found["roots"]
    named = {"radius": "radius_nm", "soma_radius": "soma_radius_nm", "pieces": "n_pieces"}
    return {named.get(name, name): _plain(value) for name, value in found.items()}


def _plain(value: Any) -> Scalar:
    """Return a number that JSON has: infinity, which is a soma that nothing compares with, becomes nothing."""
    if isinstance(value, float | np.floating):
        return float(value) if np.isfinite(value) else None
    return int(value)
