"""Skeletons that other kinds work on: read from a job, or made as `skeletonize` makes them. Loaded by workers only."""

from __future__ import annotations

from dataclasses import dataclass, field

from crant_core.errors import NotFound
from crant_core.kinds import skeletons
from crant_core.kinds.base import Context, ItemResult, KindSpec, Scalar
from crant_core.kinds.skeleton_parameters import SkeletonOptions
from crant_core.morphology.choices import chosen
from crant_core.morphology.making import make
from crant_core.skeleton import Skeleton

_BEST_FIRST = ("parquet", "swc", "precomputed")  # exact, to 0.001 nm, to float32


@dataclass(frozen=True, eq=False)
class Obtained:
    """A neuron's skeleton, and what was made to get it: nothing if a job has it."""

    skeleton: Skeleton
    made: ItemResult = field(default_factory=ItemResult)

    @property
    def metrics(self) -> dict[str, Scalar]:
        """Say in numbers what it is, and what it took to make it if it had to be made."""
        size: dict[str, Scalar] = {
            "n_nodes": self.skeleton.n_nodes,
            "cable_length_um": self.skeleton.cable_length / 1000,
            "n_branches": self.skeleton.n_branches,
        }
        return size | self.made.metrics


def obtain(context: Context, spec: KindSpec, root: int, options: SkeletonOptions) -> Obtained:
    """Read a neuron's skeleton from the job that is named, else make it, with an SWC file and its numbers.

    Raises
    ------
    NotFound
        The job has no skeleton of it.
    StoreUnavailable
    NotARoot, MeshNotFound, DataMissing, SkeletonError, SourceError
        As `skeletonize`.
    """
    if options.skeletons is not None:
        return Obtained(_read(context, options.skeletons, root))
    made = make(context.source, root, chosen(options.method))
    return Obtained(made.skeleton, skeletons.result(context, spec, made, ("swc",)))


def _read(context: Context, job_id: str, root: int) -> Skeleton:
    job = context.results_of(job_id)
    form = next(form for form in _BEST_FIRST if form in job.parameters["formats"])
    try:
        data = job.read(f"{root}.{form}")
    except NotFound as error:
        hint = f"see what became of it with GET /v1/jobs/{job_id}/items"
        raise NotFound(f"job {job_id} has no skeleton of {root}", value=root, hint=hint) from error
    return skeletons.READERS[form](data)
