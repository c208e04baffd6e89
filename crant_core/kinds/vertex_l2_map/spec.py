"""What the service must know of `vertex_l2_map` without loading its science."""

from __future__ import annotations

from pydantic import Field

from crant_core.kinds.base import IdParameters, KindSpec, Parameters, Reuse


class VertexL2MapOptions(Parameters):
    """Which L2 chunk each vertex of a neuron's surface belongs to, and how that is known."""

    max_distance: float = Field(
        default=500, ge=0, le=100_000, description="How far apart pieces may be that are taken for one, nm"
    )
    ratio_better: float = Field(
        default=0.5, gt=0, le=1, description="How much closer than a piece of another L2 id that has to be, as a ratio"
    )
    hop_limit: int = Field(
        default=50, ge=0, le=1000, description="Edges along the surface that an L2 id may be taken over"
    )
    cloudvolume_fallback: bool = Field(
        default=False, description="Look pieces that are around no point up in the segmentation; slower"
    )
    include_mesh: bool = Field(default=True, description="Store the positions of vertices and the faces too")


class VertexL2MapParameters(VertexL2MapOptions, IdParameters):
    """Which neurons, and how."""


SPEC = KindSpec(
    name="vertex_l2_map",
    title="Map vertices of meshes to L2 chunks",
    code_version=2,
    parameters=VertexL2MapParameters,
    runner="crant_core.kinds.vertex_l2_map.run",
    items_per_unit=1,  # a large neuron is a million vertices
    time_limit=1800,
    reuse=Reuse.SAME_TIME,  # of fresh chunks the L2 cache learns later
    example={"ids": ["576460754037774276"], "cloudvolume_fallback": False},
)
