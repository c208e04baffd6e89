"""What is where: ids at positions, cutouts, a neuron's voxels. Positions are in nm unless a caller says voxels."""

from crant_core.segmentation.chunks import chunks_to_nm
from crant_core.segmentation.cutouts import get_segmentation_cutout
from crant_core.segmentation.locations import locs_to_segments, locs_to_supervoxels
from crant_core.segmentation.overlap import neuron_to_segments
from crant_core.segmentation.snapping import snap_to_id
from crant_core.segmentation.voxels import get_voxels

__all__ = [
    "chunks_to_nm",
    "get_segmentation_cutout",
    "get_voxels",
    "locs_to_segments",
    "locs_to_supervoxels",
    "neuron_to_segments",
    "snap_to_id",
]
