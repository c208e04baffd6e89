"""The materialization service: frozen versions, their tables, and queries of them and of now."""

from crant_core.sandbox.services.materialization.service import ROUTES

__all__ = ["ROUTES"]
