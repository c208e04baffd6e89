"""Looking at data: sections of the images, neurons in the brain, positions on skeletons."""

from __future__ import annotations

from crant_core.viewing.brain import get_brain_mesh_scene
from crant_core.viewing.images import plot_em_image
from crant_core.viewing.nodes import map_position_to_node
from crant_core.viewing.surfaces import load_whole_brain_mesh

__all__ = ["get_brain_mesh_scene", "load_whole_brain_mesh", "map_position_to_node", "plot_em_image"]
