"""What can be chosen about a skeleton."""

from __future__ import annotations

from dataclasses import dataclass, fields

from crant_core.bounds import check_finite
from crant_core.errors import InvalidParameters

FINEST_STEP = 1.5  #: edges of the mesh; with one, every third way along the tree is wrong by a tenth


@dataclass(frozen=True, kw_only=True)
class Options:
    """How `trace` makes skeletons; lengths in nm.

    Attributes
    ----------
    edges_per_step : float
        Length of surface that becomes one node, in mean edges of the mesh: 1.5 or more. Smaller steps find more ends,
        larger ones give truer path lengths, as ways through finer rings become crooked; 3 is the best trade-off.
    longest_step : float
        But no longer than this: decimated meshes have triangles longer than their neurites are thick, which are cut
        several times. 0 sets no limit. A sixteenth of a mean edge is the shortest step there is.
    min_component : float
        Pieces of the surface whose bounding box has a shorter diagonal are dust and are dropped; the largest
        piece never is.
    shave : bool
        Prune terminal twigs. Neither a root nor a soma nor the longest path is ever pruned.
    twig_radii : float
        Terminal twigs shorter than this many radii are pruned: of the widest node around the one they hang from.
    min_twig : float
        Terminal twigs shorter than this are pruned as well.
    tip_reach : float
        Each end is moved this share of the way to the farthest point of its surface, 0 to 1.
    centre : bool
        Move nodes that lie outside the surface, or far off its middle, into the largest ball that fits beside them.
    find_soma : bool
        Look for the cell body, and root the tree there.
    soma_ratio : float
        The soma's inscribed radius must be this many times the largest one farther than `soma_reach` from it.
    soma_radius : float
        And at least this.
    soma_reach : float
        How far from the soma's centre the cell body ends at the latest.
    remove_soma_hairball : bool
        Remove the twigs that begin and end within the soma.
    heal : bool
        Join the surface's separate pieces into one tree by the shortest bridges.

    Raises
    ------
    InvalidParameters
        A number is negative or not finite, `edges_per_step` below 1.5, or `tip_reach` above 1.
    """

    edges_per_step: float = 3.0
    longest_step: float = 800.0
    min_component: float = 1000.0
    shave: bool = True
    twig_radii: float = 0.85
    min_twig: float = 0.0
    tip_reach: float = 0.75
    centre: bool = True
    find_soma: bool = True
    soma_ratio: float = 1.4
    soma_radius: float = 800.0
    soma_reach: float = 8000.0
    remove_soma_hairball: bool = False
    heal: bool = True

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if not isinstance(field.default, bool):
                check_finite(**{field.name: value})
            elif not isinstance(value, bool):
                raise InvalidParameters(f"{field.name} is {value!r}", value=value, hint="True or False")
        if self.edges_per_step < FINEST_STEP:
            raise InvalidParameters(
                f"the wavefront cannot go {self.edges_per_step} edges per step",
                value=self.edges_per_step,
                hint=f"{FINEST_STEP} or more: finer rings make crooked ways; 3 is the best trade-off",
            )
        if self.tip_reach > 1:
            raise InvalidParameters(f"tip_reach is {self.tip_reach}", value=self.tip_reach, hint="a share, 0 to 1")
