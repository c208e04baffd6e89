"""What the service must know of `meshes` without loading its science."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from crant_core.kinds.base import Formats, IdParameters, KindSpec, Parameters, Reuse

Format = Literal["ply", "precomputed"]


class MeshesOptions(Parameters):
    """Which files."""

    formats: Formats[Format] = Field(
        default=["ply"],
        min_length=1,
        max_length=2,
        description="Files for each neuron: binary PLY, and fragments of Neuroglancer's legacy meshes",
    )


class MeshesParameters(MeshesOptions, IdParameters):
    """Which neurons, and which files."""


SPEC = KindSpec(
    name="meshes",
    title="Download whole meshes",
    code_version=1,
    parameters=MeshesParameters,
    runner="crant_core.kinds.meshes.run",
    items_per_unit=1,  # a neuron takes seconds to minutes
    time_limit=1800,
    queue="io",
    reuse=Reuse.ALWAYS,  # whole or an error, and a root id never changes
    example={"ids": ["576460754037774276"]},
)
