"""Surfaces of a dataset's neurons, and the L2 chunk of each of their vertices, as cortical-tools has them."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from crant_core.access import source_of
from crant_core.caching.meshes import Kept
from crant_core.dataset_client.downloads import as_cloudvolume, download, opening
from crant_core.dataset_client.session import Session, _source_like, check_client, describe
from crant_core.datasets import Dataset
from crant_core.errors import CrantError, InvalidInput, InvalidParameters, MeshNotFound
from crant_core.ids import parse_id
from crant_core.mesh import Mesh
from crant_core.meshes.bulk import at_once, roots_of
from crant_core.meshes.neurons import whole_meshes
from crant_core.parsing import root_ids_of
from crant_core.progress import Progress

if TYPE_CHECKING:
    from crant_core.sources.cave import CaveSource
    from crant_core.vertex_map import L2Chunks, VertexAssigner

_Keep = Callable[[int, Any], None]
_GRAPHENE = "graphene://"
_THREADS = 5  # neurons on their way at a time, each with a few pieces
_REMEMBERED = 32  # maps; one of a million vertices is 8 MB


class MeshClient:
    """Meshes of one dataset's neurons. Making one asks nothing; threads may share it.

    Parameters
    ----------
    caveclient : CAVEclient, optional
        Yours: name, server and token are taken from it.
    cv_path : str, optional
        `graphene://…` or `precomputed://…`: where the meshes are, if not where the dataset has them. They are taken as
        they are: they are not checked, and nothing is kept on disk. Without a caveclient, L2 ids must be given.

    Raises
    ------
    InvalidInput
        There is neither.
    WrongType
        `caveclient` is none.
    """

    def __init__(self, caveclient: Any = None, cv_path: str | None = None) -> None:
        check_client(caveclient)
        if caveclient is None and not cv_path:
            raise InvalidInput("there is nowhere to get meshes from", hint="give a caveclient, or the path of a volume")
        self._find: Callable[[], CaveSource] | None = None if caveclient is None else lambda: _source_like(caveclient)
        self._path = cv_path
        self._volume: Any = None
        self._lock = threading.RLock()
        self._maps: OrderedDict[int, NDArray[np.int64]] = OrderedDict()

    @classmethod
    def of(cls, dataset: str | Dataset | None = None) -> MeshClient:
        """Return a client for a dataset that this library knows; left out, the default dataset.

        Raises
        ------
        UnknownDataset
        """
        return cls._at(lambda: source_of(dataset))

    @classmethod
    def _at(cls, find: Callable[[], CaveSource]) -> MeshClient:
        made = cls(cv_path="later")
        made._find, made._path = find, None
        return made

    def __repr__(self) -> str:
        return f"MeshClient({f'cv_path={self._path!r}' if self._path else self._source('meshes').dataset.datastack})"

    @property
    def cv(self) -> Any:
        """The CloudVolume that meshes come from, opened when first used; for this client alone.

        Raises
        ------
        SourceTokenMissing
        SourceError
        """
        with self._lock:
            if self._volume is None:
                self._volume = self._open(progress=False)
            return self._volume

    @property
    def mesh_l2_mappings(self) -> dict[int, NDArray[np.int64]]:
        """The latest maps of `compute_vertex_to_l2_mapping` by root id, those of the last 32 neurons."""
        with self._lock:
            return dict(self._maps)

    def get_mesh(self, root_id: Any, *, progress: bool = False, **kwargs: Any) -> Any:
        """Fetch the surface of a neuron: all of it, or none.

        A surface is checked to be of all L2 chunks, but for those of a few voxels, which are never meshed, and kept on
        disk (see `get_mesh_neuron`), unless there are further arguments, or the client has a path of its own.

        Source: `GET /meshing/api/v1/table/{table}/manifest/{root}:0`, its fragments from the bucket, and for the check
        `POST /segmentation/api/v1/table/{table}/node/leaves_many`.

        Parameters
        ----------
        root_id : id
        progress : bool
            Whether to show a bar; it is this call's alone.
        **kwargs
            `allow_missing=True`: return None where there is no mesh. Others are for cloud-volume's `mesh.get`, such as
            `bounding_box` or `deduplicate_chunk_boundaries`, and get what that gives. `fuse` has no effect.

        Returns
        -------
        cloudvolume.Mesh or None
            `vertices`, (n, 3) float32, nm, joined where pieces meet; `faces`, (m, 3) uint32; `segid`.

        Raises
        ------
        InvalidId
        InvalidParameters
            cloud-volume knows no such argument.
        NotARoot
            The dataset has no such root.
        MeshNotFound
            There is no mesh, and `allow_missing` is not set. (It is a LookupError.)
        DataMissing
            A part of it is not meshed yet, or the bucket lacks a piece.
        SourceError
        """
        root = parse_id(root_id)
        return self.get_meshes([root], progress=progress, **kwargs)[root]

    def get_meshes(
        self, root_ids: Any, *, progress: Progress = True, into: dict[int, Any] | None = None, **kwargs: Any
    ) -> dict[int, Any]:
        """Fetch the surfaces of neurons, each as `get_mesh` does, five at a time.

        Parameters
        ----------
        root_ids : ids
        progress : bool or callable
            Whether to show a bar if it takes longer than two seconds; or what is called with how many meshes were
            fetched, and how many there are to fetch.
        into : dict, optional
            Takes each mesh as it comes, by root. Those that are in it already are not fetched: a call that failed or
            was interrupted goes on where it stopped if it is made once more with the same dict.
        **kwargs
            As for `get_mesh`.

        Returns
        -------
        dict of int to cloudvolume.Mesh
            Each root once, in input order; None for those without a mesh if `allow_missing=True` is given.

        Raises
        ------
        CrantError
            As `get_mesh`; the first neuron that fails ends it.
        """
        _check_mapping("into", into)
        kwargs.pop("fuse", None)
        allow_missing = bool(kwargs.pop("allow_missing", False))
        found = {} if into is None else into
        roots = self._roots(root_ids, is_checked=not kwargs and not self._path)

        def keep(root: int, outcome: Any) -> None:
            found[root] = _mesh_or_none(root, outcome, allow_missing)

        ask = self._whole if not kwargs and not self._path else self._custom
        ask([root for root in roots if root not in found], kwargs, progress, allow_missing, keep)
        return {root: found[root] for root in roots}

    def compute_vertex_to_l2_mapping(  # noqa: PLR0917 - cortical-tools' own
        self,
        root_id: Any,
        vertices: Any = None,
        faces: Any = None,
        lvl2_ids: Any = None,
        lvl2_pts: Any = None,
        max_distance: float = 500,
        ratio_better: float = 0.5,
        hop_limit: int | None = None,
        cloudvolume_fallback: bool = False,
        n_jobs: int = -1,
        return_assigner: bool = False,
        mesh_kwargs: Mapping[str, Any] | None = None,
        *,
        path_limit: float = float("inf"),
    ) -> Any:
        """Say which L2 chunk each vertex of a neuron's surface belongs to.

        Most vertices are in a chunk where the neuron has a single L2 id. Where it has several, the surface falls into
        pieces, which belong to the representative points that they wind around, are close to, or have nearest; see
        `crant_core.vertex_map.assign_vertices`. L2 ids whose points the L2 cache does not know, such as those of fresh
        edits, are no obstacle. `return_assigner` tells how each vertex got its id.

        Source: as `get_mesh`; `POST /segmentation/api/v1/table/{table}/node/leaves_many` and
        `POST /l2cache/api/v1/table/{table}/attributes`; for the fallback, the segmentation's bucket too.

        Parameters
        ----------
        root_id : id
        vertices, faces : (n, 3) and (m, 3) array_like, optional
            A mesh that is there already, nm, both or neither; left out, it is fetched.
        lvl2_ids : ids, optional
            All L2 ids of the neuron; left out, they are fetched.
        lvl2_pts : (k, 3) array_like, optional
            Their representative points, nm, NaN where not known; with `lvl2_ids` only. Left out, they are fetched.
        max_distance : float
            How far from each other pieces may be that are taken for one, nm.
        ratio_better : float
            How much closer than a piece of another L2 id that has to be: their distances' ratio, above 0, at most 1.
        hop_limit : int, optional
            How many edges along the surface an L2 id may be taken over; left out, 50. 0: none is.
        cloudvolume_fallback : bool
            Look pieces that are around no point up in the segmentation before anything is guessed. Slower.
        n_jobs : int
            Has no effect: one process does a million vertices in about a second, and a job does many neurons at once.
        return_assigner : bool
        mesh_kwargs : mapping, optional
            Further arguments for `get_mesh`; only where the mesh is fetched.
        path_limit : float
            How long these edges may be together, nm.

        Returns
        -------
        mapping : (n,) int64
            L2 ids; 0 for vertices that got none.
        assigner : VertexAssigner
            If wanted, with `vertices`, `faces`, `lvl2_ids`, `chunk_df`, `mesh_label` (the mapping), and `method`, how
            each vertex got its id, and `coverage`.

        Raises
        ------
        InvalidId
            Something is no root id or no L2 id.
        InvalidParameters
            One of a pair is missing, a shape or a limit is wrong, or no vertex is anywhere near the neuron, as where
            they are in another unit.
        InvalidInput
            The client has nothing but the path of a volume, which cannot tell L2 ids.
        NotARoot
        MeshNotFound
        DataMissing
        SourceError
        """
        from crant_core.dataset_client import vertex_maps as maps

        root, limits = parse_id(root_id), maps.limits_of(max_distance, ratio_better, hop_limit, path_limit)
        maps.check_pairs(vertices=vertices, faces=faces, lvl2_ids=lvl2_ids, lvl2_pts=lvl2_pts, mesh_kwargs=mesh_kwargs)
        grid = maps.ChunkGrid.of(self._graphene())
        l2 = self._fetched(root) if lvl2_ids is None else self._given(lvl2_ids, lvl2_pts)
        mesh = self._surface(root, mesh_kwargs) if vertices is None else maps.surface_of(vertices, faces)
        lookup = maps.SegmentationLookup(self._source("cloudvolume_fallback")) if cloudvolume_fallback else None
        assigner = maps.assign_vertices(mesh, l2, grid, limits, lookup)
        if vertices is not None or lvl2_ids is not None:
            maps.check_place(assigner)
        self._remember(root, assigner)
        return (assigner.mesh_label, assigner) if return_assigner else assigner.mesh_label

    def _fetched(self, root: int) -> L2Chunks:
        from crant_core.dataset_client.vertex_maps import l2_chunks

        return l2_chunks(self._source("L2 ids"), root)

    def _given(self, lvl2_ids: Any, lvl2_pts: Any) -> L2Chunks:
        from crant_core.dataset_client.vertex_maps import l2_chunks_of, points_of

        ids = root_ids_of(lvl2_ids)
        points = points_of(self._source("points of L2 ids"), ids) if lvl2_pts is None else lvl2_pts
        return l2_chunks_of(ids, points, self._graphene())

    def _surface(self, root: int, mesh_kwargs: Mapping[str, Any] | None) -> Mesh:
        from crant_core.dataset_client.vertex_maps import surface_of, whole_mesh

        _check_mapping("mesh_kwargs", mesh_kwargs)
        if not mesh_kwargs and not self._path:
            return whole_mesh(self._source("meshes"), root)
        found = self.get_mesh(root, **(mesh_kwargs or {}))
        if found is None:
            raise MeshNotFound(f"there is no mesh for {root}", value=root)
        return surface_of(found.vertices, found.faces)

    def _roots(self, root_ids: Any, *, is_checked: bool) -> list[int]:
        found = roots_of(self._source("meshes"), root_ids) if is_checked else root_ids_of(root_ids).tolist()
        return list(dict.fromkeys(found))

    def _whole(self, roots: list[int], _: Any, progress: Progress, allow_missing: bool, keep: _Keep) -> None:
        omit = True if allow_missing else None
        whole_meshes(self._source("meshes"), roots, omit, _THREADS, progress=progress, each=keep)

    def _custom(self, roots: list[int], options: Mapping[str, Any], progress: Progress, _: Any, keep: _Keep) -> None:
        volume = self._open(progress=progress is True and len(roots) == 1)

        def one(root: int) -> None:
            keep(root, download(volume, root, options))

        at_once(one, roots, _THREADS, progress=progress, what="meshes")

    def _open(self, *, progress: bool) -> Any:
        """Open a volume for one call, so that nobody else's bars come and go with it."""
        if not self._path:
            return self._source("meshes").new_volume(progress=progress)
        from crant_core.sources.volumes import open_volume

        with opening(self._path):
            return open_volume(self._path, self._token(self._path), progress=progress)

    def _token(self, path: str) -> str | None:
        if self._find is not None:
            return self._find().token()
        if not path.startswith(_GRAPHENE):
            return None
        server = "/".join(path.removeprefix(_GRAPHENE).split("/")[:3])
        return source_of(describe("meshes", server)).token()

    def _graphene(self) -> Any:
        return self._source("L2 chunks").watershed.volume() if self._find is not None else self.cv

    def _source(self, what: str) -> CaveSource:
        if self._find is None:
            raise InvalidInput(f"a volume alone tells no {what}", hint="give the MeshClient a caveclient")
        return self._find()

    def _remember(self, root: int, assigner: VertexAssigner) -> None:
        with self._lock:
            self._maps[root] = assigner.mesh_label
            self._maps.move_to_end(root)
            while len(self._maps) > _REMEMBERED:
                self._maps.popitem(last=False)


class Meshes(Session):
    """Meshes of the dataset."""

    @property
    def mesh(self) -> MeshClient:
        """Meshes of neurons, and which L2 chunk each of their vertices is in."""
        with self._lock:
            if self._meshes is None:
                self._meshes = MeshClient._at(lambda: self._source)
            return self._meshes

    _meshes: MeshClient | None = None


def _mesh_or_none(root: int, outcome: Any, allow_missing: bool) -> Any:
    if isinstance(outcome, MeshNotFound) and allow_missing:
        return None
    if isinstance(outcome, CrantError):
        raise outcome
    return as_cloudvolume(root, outcome.mesh) if isinstance(outcome, Kept) else outcome


def _check_mapping(name: str, value: Any) -> None:
    if value is not None and not isinstance(value, Mapping):
        kind = type(value).__name__
        raise InvalidParameters(f"{name} cannot be a {kind}", value=kind, hint="a dict, or None")
