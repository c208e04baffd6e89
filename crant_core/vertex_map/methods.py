"""How a vertex got its L2 chunk."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

DEFAULT_HOPS = 50  #: edges along a surface


class Method(IntEnum):
    """How a vertex got its L2 id, the surest first, but for none."""

    NONE = 0  #: it has none
    SOLO = 1  #: the neuron has one L2 id in the chunk that the vertex is in
    WINDING = 2  #: the surface that it is part of winds around the L2 id's representative point
    LOOKUP = 3  #: the segmentation beside the surface that it is part of
    PROXIMITY = 4  #: the surface that it is part of is close to one that has an L2 id
    NEAREST = 5  #: of the L2 ids in its chunk, the one whose representative point is nearest
    PROPAGATED = 6  #: along the surface from the nearest vertex that has one, maybe of another chunk


@dataclass(frozen=True, kw_only=True, slots=True)
class Limits:
    """How far guesses may go.

    Attributes
    ----------
    max_distance : float
        Between surfaces, for `Method.PROXIMITY`, nm.
    ratio_better : float
        How much closer than a surface with another L2 id that surface must be: their distances' ratio at most.
    hop_limit : int
        Edges along the surface, for `Method.PROPAGATED`.
    path_limit : float
        Length of these edges together, nm.
    """

    max_distance: float = 500.0
    ratio_better: float = 0.5
    hop_limit: int = DEFAULT_HOPS
    path_limit: float = float("inf")
