"""The served world as read from its folder: arrays, tables and files, never changed while it is served."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from crant_core.mesh import Mesh
from crant_core.sandbox.world.features import Features
from crant_core.sandbox.world.fragments import Triangles
from crant_core.sandbox.world.history import Edit, History
from crant_core.sandbox.world.morphology import Morphology
from crant_core.sandbox.world.segmentation import Labelled, Segmentation


@dataclass(frozen=True)
class World:
    """Everything that was built, by folder; parts are read when first needed."""

    folder: Path

    @cached_property
    def segmentation(self) -> Segmentation:
        """Voxels, supervoxels, edges."""
        found = self._arrays("segmentation")
        voxels = Labelled(np.cumsum(found["steps"]), *(found[name] for name in ("voxel_neuron", "voxel_piece", "node")))
        rest = (found[name] for name in ("of_voxel", "ids", "neuron", "piece", "edges"))
        return Segmentation(voxels, *rest)

    @cached_property
    def features(self) -> Features:
        """Sums behind the L2 cache."""
        return Features(**self._arrays("features"))

    @cached_property
    def history(self) -> History:
        """The scripted edits."""
        found = self._arrays("history")
        edits = (
            Edit(tuple((int(a), int(b)) for a, b in found["pairs"][found["edit"] == number]), bool(joins))
            for number, joins in enumerate(found["joins"])
        )
        return History(found["edges"], found["active"], tuple(edits))

    @cached_property
    def triangles(self) -> Triangles:
        """All surfaces."""
        return Triangles(**self._arrays("triangles"))

    @cached_property
    def trees(self) -> tuple[Morphology, ...]:
        """Each neuron's skeleton: the reference for real neurons, the truth for made-up ones."""
        found = self._arrays("trees")
        bounds = np.cumsum(found["sizes"])[:-1]
        parts = (np.split(found[name], bounds) for name in ("nodes", "radii", "parents"))
        return tuple(Morphology(*tree) for tree in zip(*parts, strict=True))

    @cached_property
    def fragments(self) -> NDArray[np.int64]:
        """Initial mesh fragments, (n, 4): node id, offset in its shard, size, minishard."""
        return np.asarray(self._arrays("fragments")["places"])

    def frame(self, name: str) -> pd.DataFrame:
        """Read a table of the world, such as `synapses` or `truth/lineage`."""
        return pd.read_parquet(self.folder / f"{name}.parquet")

    def surface(self, name: str) -> Mesh:
        """Read a named surface, such as `neuropil_16`."""
        found = self._arrays(f"surfaces/{name}")
        return Mesh(found["vertices"], found["faces"])

    def _arrays(self, name: str) -> dict[str, Any]:
        with np.load(self.folder / f"{name}.npz") as found:
            return dict(found)


def save_segmentation(folder: Path, found: Segmentation) -> None:
    """Write voxels and supervoxels; keys as steps, which pack well."""
    voxels = found.voxels
    _save(
        folder / "segmentation",
        steps=np.diff(voxels.keys, prepend=0),
        voxel_neuron=voxels.neuron.astype(np.int16),
        voxel_piece=voxels.piece.astype(np.int8),
        node=voxels.node.astype(np.int32),
        of_voxel=found.of_voxel,
        ids=found.ids,
        neuron=found.neuron,
        piece=found.piece,
        edges=found.edges,
    )


def save_history(folder: Path, history: History) -> None:
    """Write the scripted edits."""
    _save(
        folder / "history",
        edges=history.edges,
        active=history.active,
        pairs=np.concatenate([np.array(edit.pairs, dtype=np.int64) for edit in history.edits]),
        edit=np.repeat(np.arange(len(history.edits)), [len(edit.pairs) for edit in history.edits]),
        joins=np.array([edit.joins for edit in history.edits]),
    )


def save_fields(path: Path, record: Features | Triangles) -> None:
    """Write a dataclass of arrays."""
    _save(path, **{field.name: getattr(record, field.name) for field in fields(record)})


def save_trees(folder: Path, trees: Iterable[Morphology]) -> None:
    """Write skeletons, one after the other."""
    parts = {name: np.concatenate([getattr(tree, name) for tree in trees]) for name in ("nodes", "radii", "parents")}
    _save(folder / "trees", sizes=np.array([len(tree.nodes) for tree in trees]), **parts)


def save_surface(folder: Path, name: str, mesh: Mesh) -> None:
    """Write a named surface."""
    _save(folder / "surfaces" / name, vertices=mesh.vertices, faces=mesh.faces)


def save_fragments(folder: Path, places: NDArray[np.int64]) -> None:
    """Write where the initial mesh fragments are."""
    _save(folder / "fragments", places=places)


def save_frame(folder: Path, name: str, frame: pd.DataFrame) -> None:
    """Write a table."""
    path = folder / f"{name}.parquet"
    path.parent.mkdir(parents=True, exist_ok=True)
    frame.to_parquet(path, compression="zstd", index=False)


def _save(path: Path, **arrays: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(path.with_suffix(".npz"), **arrays)
