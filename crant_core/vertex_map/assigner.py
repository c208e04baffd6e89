"""What is known of a surface whose vertices were given their L2 chunks."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from crant_core.mesh import Mesh
from crant_core.vertex_map.chunks import L2Chunks
from crant_core.vertex_map.grid import ChunkGrid
from crant_core.vertex_map.methods import Method

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, kw_only=True, slots=True)
class Coverage:
    """How much of a surface has L2 ids, and how they came about.

    Attributes
    ----------
    vertices : int
    by_method : dict of str to int
        Vertices by the name of each `Method`, in small letters; those of `"none"` have no L2 id.
    l2_ids : int
        Of the neuron.
    l2_ids_without_point : int
        Of these, how many have no representative point: the L2 cache does not know them (yet).
    l2_ids_without_vertices : int
        Of these, how many no vertex was given: those of a few voxels have no surface.
    """

    vertices: int
    by_method: dict[str, int]
    l2_ids: int
    l2_ids_without_point: int
    l2_ids_without_vertices: int

    @property
    def share(self) -> float:
        """Vertices with an L2 id, of all; NaN if there are none."""
        return 1 - self.by_method["none"] / self.vertices if self.vertices else float("nan")


@dataclass(frozen=True, eq=False)
class VertexAssigner:
    """A surface, the neuron's L2 chunks, and which vertex belongs to which.

    Attributes
    ----------
    mesh : Mesh
        nm.
    l2 : L2Chunks
    grid : ChunkGrid
    mesh_label : ndarray, (n,) int64
        The L2 id of each vertex; 0 for none.
    method : ndarray, (n,) uint8
        How each got it: a `Method`.
    """

    mesh: Mesh
    l2: L2Chunks
    grid: ChunkGrid
    mesh_label: NDArray[np.int64]
    method: NDArray[np.uint8]

    def __repr__(self) -> str:
        return f"VertexAssigner({self.coverage})"

    @property
    def vertices(self) -> NDArray[np.float64]:
        """Positions, (n, 3), nm."""
        return self.mesh.vertices

    @property
    def faces(self) -> NDArray[np.int64]:
        """Corners of triangles, (m, 3)."""
        return self.mesh.faces

    @property
    def lvl2_ids(self) -> NDArray[np.int64]:
        """All L2 ids of the neuron, (k,), ascending."""
        return self.l2.ids

    @cached_property
    def chunk_df(self) -> pd.DataFrame:
        """A row for each L2 id, in their order.

        `l2_id`, int64; `chunk_x`, `chunk_y`, `chunk_z`, int64, the chunk it is in; `start_…` and `end_…`, float64, nm,
        the chunk's box (what is at its ends is in the next one); `pt_…`, float64, nm, the representative point, NaN
        where it is not known; `ids_in_chunk`, int64, how many L2 ids of the neuron are in the chunk.
        """
        import pandas as pd

        chunks = self.l2.chunks
        parts = {
            "chunk": chunks,
            "start": self.grid.starts(chunks),
            "end": self.grid.ends(chunks),
            "pt": self.l2.points,
        }
        columns = {f"{name}_{axis}": part[:, n] for name, part in parts.items() for n, axis in enumerate("xyz")}
        _, inverse, counts = np.unique(chunks, axis=0, return_inverse=True, return_counts=True)
        return pd.DataFrame({"l2_id": self.lvl2_ids, **columns, "ids_in_chunk": counts[inverse.ravel()]})

    @cached_property
    def coverage(self) -> Coverage:
        """How much of the surface has L2 ids, and how they came about."""
        counts = np.bincount(self.method, minlength=len(Method)).tolist()
        return Coverage(
            vertices=len(self.vertices),
            by_method={method.name.lower(): counts[method] for method in Method},
            l2_ids=len(self.lvl2_ids),
            l2_ids_without_point=int((~self.l2.known).sum()),
            l2_ids_without_vertices=int((~np.isin(self.lvl2_ids, self.mesh_label)).sum()),
        )
