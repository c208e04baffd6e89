"""What the state server keeps: neuroglancer scenes and segment properties."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import count

_FIRST_ID = 5_000_000_000_000_001


@dataclass
class StateStore:
    """Scenes and segment properties, as the very bytes that were sent; both are numbered together."""

    scenes: dict[int, bytes] = field(default_factory=dict)
    properties: dict[int, bytes] = field(default_factory=dict)

    def new_id(self) -> int:
        """Return a number that nothing has yet."""
        taken = self.scenes.keys() | self.properties.keys()
        return next(number for number in count(_FIRST_ID + len(taken)) if number not in taken)
