"""What the service must know of `neuropil_matrices` without loading its science."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field, StringConstraints, field_validator

from crant_core.errors import InvalidParameters, NoMatchesError
from crant_core.ids import RootId
from crant_core.kinds.base import MAX_INLINE_IDS, IdParameters, KindSpec, Parameters, Reuse, check_list
from crant_core.neuropils.names import parts_of

if TYPE_CHECKING:
    from crant_core.datasets import Dataset

Word = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]


class NeuropilMatricesOptions(Parameters):
    """Which of the neurons' outputs count, in which neuropils, and what is made of the counts."""

    neuropils: list[Word] | None = Field(
        default=None, min_length=1, max_length=1000, description="Names of neuropils; left out, all of the dataset"
    )
    include_other: bool = Field(default=True, description='Count what is in none of them, as in "other"')
    position: Literal["ctr", "pre", "post"] = Field(
        default="ctr", description="Where a synapse is: its centre, or its presynaptic or postsynaptic side"
    )
    min_size: float | None = Field(default=None, ge=0, description="Leave out smaller synapses, in voxels")
    threshold: int = Field(default=1, ge=1, description="Leave out pairs with fewer synapses, all neuropils together")
    targets: Literal["all", "ids"] = Field(
        default="all", description="Columns of the matrices: all postsynaptic neurons, or those of this job"
    )
    weight_mode: Literal["count", "relative_outgoing", "relative_incoming"] = Field(
        default="count", description="Synapses, or shares of the source's or the target's synapses in a neuropil"
    )
    normalization_scope: Literal["selected", "all"] = Field(
        default="selected", description="Shares of synapses with targets that are columns, or with all"
    )
    cell_types: dict[RootId, Word] = Field(
        default={},
        max_length=MAX_INLINE_IDS,
        description="Cell type by root id, of any age; it orders rows and columns",
    )
    annotation_scope: Literal["all", "annotated_only"] = Field(
        default="all", description="Keep all neurons in the matrices, or those in cell_types"
    )

    @field_validator("neuropils", mode="before")
    @classmethod
    def _listed(cls, neuropils: object) -> object:
        return check_list(neuropils)


class NeuropilMatricesParameters(NeuropilMatricesOptions, IdParameters):
    """Which neurons, and how."""


def check(parameters: NeuropilMatricesParameters, dataset: Dataset) -> None:
    """Refuse names that no neuropil has; a folder may have files of any name, which only workers see.

    Raises
    ------
    InvalidParameters
    """
    if parameters.neuropils is None or not (dataset.neuropil_source or "").startswith("precomputed://"):
        return
    for name in parameters.neuropils:
        try:
            parts_of(name)
        except NoMatchesError as error:
            raise InvalidParameters(f"params.neuropils: {error.message}", value=name, hint=error.hint) from error


SPEC = KindSpec(
    name="neuropil_matrices",
    title="Count synapses by neuropil",
    code_version=1,
    parameters=NeuropilMatricesParameters,
    runner="crant_core.kinds.neuropil_matrices.run",
    items_per_unit=50,  # their synapses are fetched together
    time_limit=1800,
    largest_unit=200,  # all their synapses are in memory at once
    reuse=Reuse.SAME_TIME,
    result_parameters=("neuropils", "include_other", "position", "min_size", "threshold"),  # the others are finish's
    check=check,
    example={"ids": ["576460754037774276"], "threshold": 2},
)
