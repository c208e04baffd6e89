"""Warnings: the answer stands, but may not be what was meant. The standard library's filters hold for them."""

from __future__ import annotations


class WrongUnitWarning(UserWarning):
    """Positions are so far from everything that they are probably in another unit than was said."""


class OutdatedRootWarning(UserWarning):
    """Roots do not hold at the time that is looked at, so nothing is found of them."""


class UnknownUnitWarning(UserWarning):
    """Positions are in voxels of a size that nobody said."""
