"""The chunkedgraph service: what a segment is, since when, and what people did to it."""

from crant_core.sandbox.services.chunkedgraph.service import ROUTES, segmentation_info

__all__ = ["ROUTES", "segmentation_info"]
