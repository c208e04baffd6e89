"""The exported tables, which are files of the world, as objects of the bucket."""

from __future__ import annotations

from crant_core.sandbox.objects.stored import Stored
from crant_core.sandbox.world.exports import FOLDER
from crant_core.sandbox.world.world import World


def find(world: World, path: str) -> Stored | None:
    """Return one exported file."""
    root = (world.folder / FOLDER).resolve()
    full = (root / path).resolve()
    return Stored(full.read_bytes()) if full.is_relative_to(root) and full.is_file() else None
