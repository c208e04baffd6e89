"""The nuclei: balls around real and made-up somata, as a volume and as meshes; their ids are supervoxels' ids."""

from __future__ import annotations

from functools import cache

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from crant_core.mesh import Mesh
from crant_core.sandbox import layout, names
from crant_core.sandbox.objects.stored import Stored, gzipped, stored_json
from crant_core.sandbox.objects.volumes import Box, Scale, encode_labels, info
from crant_core.sandbox.world import fragments
from crant_core.sandbox.world.solids import ellipsoid
from crant_core.sandbox.world.world import World

SCALE = Scale(
    resolution=(64, 64, 84),
    offset=tuple((layout.offset_nm() // (64, 64, 84)).tolist()),
    size=tuple((layout.volume_size() * layout.RESOLUTION // (64, 64, 84)).tolist()),
    chunk=(64, 64, 64),
    encoding="compressed_segmentation",
)


def find(world: World, path: str) -> Stored | None:
    """Return `info`, a chunk, or an object of the legacy mesh folder."""
    if path == "info":
        return stored_json(info((SCALE,), "segmentation", "uint64", mesh="mesh"))
    folder, _, name = path.partition("/")
    if folder == "mesh":
        return _mesh_object(world, name)
    box = SCALE.box(name) if folder == SCALE.key else None
    return None if box is None else gzipped(encode_labels(_fill(world, box)))


def _mesh_object(world: World, name: str) -> Stored | None:
    if name == "info":
        return stored_json({"@type": "neuroglancer_legacy_mesh"})
    number, _, kind = name.partition(":" if ":" in name else ".")
    balls = _balls(world)
    if not number.isdigit() or int(number) not in balls.index or kind not in {"0", "frag"}:
        return None
    if kind == "0":
        return stored_json({"fragments": [f"{number}.frag"]})
    ball = balls.loc[int(number)]
    return Stored(fragments.raw(Mesh(*ellipsoid(ball[list("xyz")].to_numpy(), (ball.radius,) * 3).mesh())))


@cache
def _balls(world: World) -> pd.DataFrame:
    """Centres and radii in nm, by segment id."""
    rows = world.frame(f"tables/{names.NUCLEI}")
    low, high = (
        rows[[f"bb_{side}_position_{axis}" for axis in "xyz"]].to_numpy() * layout.USER_RESOLUTION
        for side in ("start", "end")
    )
    ids = pd.Index(rows.pt_supervoxel_id.astype("uint64"))
    centres = pd.DataFrame((low + high) / 2.0, columns=list("xyz"), index=ids)
    return centres.assign(radius=(high - low)[:, 0] / 2.0)


def _fill(world: World, box: Box) -> NDArray[np.uint64]:
    low, high = box * SCALE.resolution
    labels = np.zeros(box[1] - box[0], dtype=np.uint64)
    axes = [np.arange(begin, end) * step + step / 2 for (begin, end), step in zip(box.T, SCALE.resolution, strict=True)]
    for segment, ball in _balls(world).iterrows():
        centre = ball[list("xyz")].to_numpy()
        if ((centre > low - ball.radius) & (centre < high + ball.radius)).all():
            x, y, z = (axis - middle for axis, middle in zip(axes, centre, strict=True))
            inside = x[:, None, None] ** 2 + y[:, None] ** 2 + z**2 < ball.radius**2
            labels[inside] = segment
    return labels
