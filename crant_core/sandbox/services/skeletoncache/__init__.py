"""The skeleton service: cached skeletons at once, others when they are made."""

from crant_core.sandbox.services.skeletoncache.service import ROUTES

__all__ = ["ROUTES"]
