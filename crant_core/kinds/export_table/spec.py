"""What the service must know of `export_table` without loading its science."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator

from crant_core.ids import RootId
from crant_core.kinds.base import MAX_INLINE_IDS, IdParameters, KindSpec, Listed, Parameters, Reuse, check_list

Column = Annotated[str, Field(min_length=1, max_length=255)]
Step = Annotated[float, Field(gt=0, le=1e6)]  # nm


class ExportTableOptions(Parameters):
    """Which columns of which exported table."""

    table: str = Field(
        pattern=r"^\w+$", max_length=255, description="Name of the export: of a table or view, maybe with _merged"
    )
    version: int | None = Field(default=None, ge=1, description="Its version; left out, that of the job's time")
    columns: Listed[Column] | None = Field(
        default=None, min_length=1, max_length=1000, description="Only these, in this order"
    )
    id_column: Column | None = Field(default=None, description="Only rows that have one of the ids in this column")
    units: Literal["nm", "voxel"] = Field(default="nm", description="Of positions; voxels are those of the table")
    voxel_resolution: Annotated[tuple[Step, Step, Step] | None, BeforeValidator(check_list)] = Field(
        default=None, description="nm per voxel of the table; left out, its metadata tells"
    )
    # a worker reads no file of its own machine because a job says so: only the dataset's settings may name one
    cloudpath: str | None = Field(
        default=None,
        pattern=r"^((gs|s3)://[a-z0-9][a-z0-9._-]+(/[^\s]*)?|https://[^\s/][^\s]*)$",
        max_length=1000,
        description="Where the exports are, gs, s3 or https, read without credentials; left out, the dataset's own",
    )


class ExportTableParameters(ExportTableOptions, IdParameters):
    """Which rows and columns of which exported table; without ids, all rows."""

    ids: list[RootId] = Field(
        default=[], max_length=MAX_INLINE_IDS, description="Ids that rows must have in id_column; none: all rows"
    )

    @model_validator(mode="after")
    def _both_or_neither(self) -> Any:
        if bool(self.ids) != (self.id_column is not None):
            raise ValueError("ids and id_column belong together")
        return self


SPEC = KindSpec(
    name="export_table",
    title="Read exported tables into Parquet",
    code_version=1,
    parameters=ExportTableParameters,
    runner="crant_core.kinds.export_table.run",
    items_per_unit=1,  # the table
    time_limit=6 * 3600,  # of 20 GB
    queue="io",
    # never reused: its one item depends on all ids of the job, and what a cloud path has may be exported anew; what a
    # new export would cost to tell apart, its tag, is not known before the bucket is asked
    reuse=Reuse.NEVER,
    ids_are_one_item=True,
    example={"table": "nucleus_detection_v0", "ids": ["576460754037774276"], "id_column": "pt_root_id"},
)
