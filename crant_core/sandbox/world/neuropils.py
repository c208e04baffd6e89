"""Neuropils by CRANT's numbers and names: one real (the lateral horn of the hemibrain), the others made and said to be.

Made ones lie where the sandbox's synapses are, not where an ant keeps them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from crant_core.mesh import Mesh
from crant_core.sandbox.world import navis_data
from crant_core.sandbox.world.solids import Solid, bent_bar, ellipsoid, hull, torus
from crant_core.sandbox.world.winding import inside

REAL = 16


@dataclass(frozen=True)
class Neuropil:
    """One neuropil: CRANT's number and name, its closed surface in nm, and where it comes from."""

    number: int
    name: str
    surface: Mesh
    origin: str = "made for the sandbox"

    def contains(self, points: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Say which points lie inside, exactly, by winding number."""
        low, high = self.surface.vertices.min(axis=0), self.surface.vertices.max(axis=0)
        near = np.flatnonzero(((points >= low) & (points <= high)).all(axis=1))
        found = np.zeros(len(points), dtype=bool)
        found[near] = inside(points[near], self.surface.vertices, self.surface.faces)
        return found


def make(synapses: pd.DataFrame) -> list[Neuropil]:
    """Shape all neuropils; `synapses` has `pre_x` … `post_z` in nm and the hemibrain's `region`, "" where made up."""
    centres = centre(synapses)
    region = synapses.region.to_numpy()
    horn = navis_data.read_volume("lh")
    lobe, calyx = (Mesh(*hull(_core(centres[region == name])).mesh()) for name in ("AL(R)", "CA(R)"))
    right = [
        Neuropil(REAL, "lateral_horn_right", horn, "hemibrain LH(R) (Scheffer et al. 2020), from the navis package"),
        Neuropil(8, "antennal_lobe_right", lobe, "made: hull of the hemibrain's AL(R) synapses"),
        Neuropil(5, "mushroom_body_medial_calyx_right", calyx, "made: hull of the hemibrain's CA(R) synapses"),
    ]
    middle = np.median(centres[region == ""], axis=0)
    left = [_mirrored(one, number) for one, number in zip(right, (15, 7, 2), strict=True)]
    return sorted([*right, *left, *_central_complex(middle)], key=lambda one: one.number)


def centre(synapses: pd.DataFrame) -> NDArray[np.float64]:
    """Return the middle of each synapse, (n, 3), nm."""
    pre, post = (synapses[[f"{side}_{axis}" for axis in "xyz"]].to_numpy() for side in ("pre", "post"))
    return np.asarray((pre + post) / 2)


def _core(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Leave out the outermost twentieth, so that some synapses lie outside."""
    distances = np.linalg.norm(points - np.median(points, axis=0), axis=1)
    return np.asarray(points[distances <= np.quantile(distances, 0.95)])


def _mirrored(one: Neuropil, number: int) -> Neuropil:
    """Return the other side's twin, where the sandbox has no synapses: empty on purpose."""
    brain = navis_data.read_volume("neuropil").vertices
    vertices = one.surface.vertices.copy()
    vertices[:, 0] = brain[:, 0].min() + brain[:, 0].max() - vertices[:, 0]
    surface = Mesh(vertices, one.surface.faces[:, ::-1])
    return Neuropil(number, one.name.replace("right", "left"), surface, f"made: mirror image of {one.name}")


def _central_complex(middle: NDArray[np.float64]) -> list[Neuropil]:
    bar = middle + np.array([[-30e3, 12e3, 0], [-15e3, 18e3, 0], [0, 20e3, 0], [15e3, 18e3, 0], [30e3, 12e3, 0]])

    def at(x: float, y: float) -> NDArray[np.float64]:
        return np.add(middle, (x, y, 0.0))

    shapes: dict[int, tuple[str, Solid]] = {
        9: ("fan_shaped_body", ellipsoid(at(0, 6e3), (26e3, 10e3, 14e3))),
        10: ("ellipsoid_body", torus(at(0, -8e3), 12e3, 6e3, axis=(0, 0, 1))),
        11: ("protocerebral_bridge", bent_bar(bar, 5e3)),
        12: ("nodulus_left", ellipsoid(at(-12e3, -18e3), (6e3, 4e3, 5e3))),
        33: ("NOc_r", ellipsoid(at(10e3, -16e3), (3e3, 3e3, 4e3))),
        34: ("NOm1_r", ellipsoid(at(14e3, -18e3), (3e3, 3e3, 4e3))),
        35: ("NOm2_r", ellipsoid(at(18e3, -20e3), (3e3, 3e3, 4e3))),
        36: ("NOs_r", ellipsoid(at(14e3, -24e3), (4e3, 3e3, 4e3))),
    }
    return [Neuropil(number, name, Mesh(*solid.mesh())) for number, (name, solid) in shapes.items()]
