"""Surfaces to the L2 chunks of their vertices."""
