"""What the service must know of `refresh` without loading its science."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from crant_core.errors import InvalidParameters
from crant_core.ids import RootId
from crant_core.kinds.attach_synapses.spec import AttachSynapsesOptions
from crant_core.kinds.base import MAX_INLINE_IDS, IdParameters, KindSpec, Parameters
from crant_core.kinds.neuropil_matrices.spec import NeuropilMatricesOptions
from crant_core.kinds.skeleton_parameters import JobName
from crant_core.kinds.skeletonize.spec import SkeletonizeOptions
from crant_core.kinds.update_ids.spec import UpdateIdsOptions

if TYPE_CHECKING:
    from crant_core.datasets import Dataset

Word = Annotated[str, StringConstraints(min_length=1, max_length=200)]
StepName = Literal["skeletonize", "attach_synapses", "neuropil_matrices"]
ALL_STEPS: list[StepName] = ["skeletonize", "attach_synapses", "neuropil_matrices"]
#: how criteria are compared, as `NeuronCriteria` names it; all else that criteria name are fields
FLAGS = ("regex", "case", "match_all", "exact")


class RefreshOptions(Parameters):
    """Which neurons, what is made of them, and what the report compares with."""

    criteria: dict[str, bool | Word | list[Word]] | None = Field(
        default=None,
        min_length=1,
        max_length=40,
        description="Instead of ids: values that annotations must have, by field, as in NeuronCriteria; regex, case, "
        "match_all and exact say how they are compared",
    )
    steps: list[StepName] = Field(
        default=ALL_STEPS, max_length=3, description="What is made of the neurons; their ids are updated in any case"
    )
    update_ids: UpdateIdsOptions | None = Field(default=None, description="Parameters of update_ids")
    skeletonize: SkeletonizeOptions | None = Field(default=None, description="Parameters of skeletonize")
    attach_synapses: AttachSynapsesOptions | None = Field(default=None, description="Parameters of attach_synapses")
    neuropil_matrices: NeuropilMatricesOptions | None = Field(
        default=None, description="Parameters of neuropil_matrices"
    )
    compare_with: JobName | None = Field(
        default=None,
        description="Id of a refresh to go on from; left out, the last one of the same schedule or label",
    )
    shown: int = Field(default=50, ge=1, le=1000, description="Of each sort of change the report lists so many at most")

    @model_validator(mode="after")
    def _steps_fit(self) -> Self:
        if len(set(self.steps)) < len(self.steps):
            raise ValueError("a step is named twice")
        if "attach_synapses" in self.steps and "skeletonize" not in self.steps:
            raise ValueError("attach_synapses needs skeletonize: name both steps, or neither")
        if self.attach_synapses is not None and self.attach_synapses.skeletons is not None:
            raise ValueError("attach_synapses works on this refresh's own skeletons: leave its skeletons out")
        return self


class RefreshParameters(RefreshOptions, IdParameters):
    """Which neurons, and how."""

    ids: list[RootId] = Field(
        default=[],
        max_length=MAX_INLINE_IDS,
        description=f"Root ids, at most {MAX_INLINE_IDS:,} in one request, of any age; or give criteria",
    )

    @model_validator(mode="after")
    def _names_neurons(self) -> Self:
        if bool(self.ids) == bool(self.criteria):
            raise ValueError("give ids or criteria, one of them")
        return self


def check(parameters: RefreshParameters, dataset: Dataset) -> None:
    """Refuse criteria that name no field of annotations; which values there are, only their server knows.

    Raises
    ------
    InvalidParameters
    """
    from crant_core.annotations.cells import FIELDS
    from crant_core.annotations.filtering import near

    for name in parameters.criteria or ():
        if name not in (*FIELDS, *FLAGS):
            message = f"params.criteria: there is no field {name!r}"
            raise InvalidParameters(message, value=name, hint=near(name, (*FIELDS, *FLAGS)))


SPEC = KindSpec(
    name="refresh",
    title="Bring neurons up to date",
    code_version=1,
    parameters=RefreshParameters,
    runner="crant_core.kinds.refresh.run",
    items_per_unit=1,  # its steps have units, it has none
    time_limit=3600,
    check=check,
    ids_are_one_item=True,  # there may be criteria in their place
    is_pipeline=True,
    example={"ids": ["576460754037774276"], "attach_synapses": {"threshold": 2}},
)
