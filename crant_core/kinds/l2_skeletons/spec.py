"""What the service must know of `l2_skeletons` without loading its science."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from crant_core.kinds.base import Formats, IdParameters, KindSpec, Parameters, Reuse

Format = Literal["swc", "precomputed", "parquet"]


class L2SkeletonsOptions(Parameters):
    """Which files."""

    formats: Formats[Format] = Field(
        default=["swc"], min_length=1, max_length=3, description="Files for each neuron; precomputed is Neuroglancer's"
    )


class L2SkeletonsParameters(L2SkeletonsOptions, IdParameters):
    """Which neurons, and which files."""


SPEC = KindSpec(
    name="l2_skeletons",
    title="Skeletonize neurons coarsely, by their L2 chunks",
    code_version=1,
    parameters=L2SkeletonsParameters,
    runner="crant_core.kinds.l2_skeletons.run",
    items_per_unit=50,  # their chunks are looked up together
    time_limit=1800,
    queue="io",
    reuse=Reuse.SAME_TIME,  # of fresh chunks the L2 cache learns later
    makes_skeletons=True,
    example={"ids": ["576460754037774276"]},
)
