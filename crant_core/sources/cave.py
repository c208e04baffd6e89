"""CAVE as a source: the real caveclient and the real cloud-volume, once per worker process."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from datetime import UTC, datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from crant_core.datasets import Dataset
from crant_core.errors import MeshNotFound, SourceError, SourceTokenMissing, VersionNotFound
from crant_core.mesh import Mesh
from crant_core.sources import caches
from crant_core.sources.failures import translated
from crant_core.sources.volumes import open_volume
from crant_core.times import At, TimeBase

if TYPE_CHECKING:
    from crant_core.sources.chunkedgraph import ChunkedGraphSource
    from crant_core.sources.watershed import Watershed

# About 1 MB of JSON: the smallest request body that deployments are known to refuse is larger.
_IDS_PER_REQUEST = 45_000
_VERSION_IS_GONE = (HTTPStatus.NOT_FOUND, HTTPStatus.GONE)


class CaveSource:
    """One CAVE datastack.

    Clients are made when first needed and kept, so one object may be shared by threads. Nothing is written to
    `~/.cloudvolume`, nothing is asked interactively and no browser is opened.

    What bounds a call: every request to CAVE and to its buckets, those that the clients make while they are constructed
    too, has the time-outs of `sessions` for connecting, between bytes, and for an answer's whole body; caveclient
    attempts a request up to four times, cloud-volume begins no other attempt after `transport.RETRY_SECONDS`. Not
    bounded are a server that drips its headers byte by byte, and the number of a mesh's pieces, so the worker's hard
    time limit stays necessary.

    What is guarded: an answer cut short, at a row limit or in its compressed body, is an error, and so is a mesh of
    which the bucket lacks a piece. Volumes are read without forks, because cloud-files' pooled connections do not
    survive one.

    What is global to the process, forced by the clients: importing cloud-volume creates `~/.cloudvolume`; its requests
    are bounded for everyone (`transport`); the caches of table metadata and tokens are emptied when another source is
    used (`caches`), so sources may take turns, but threads should not use two of them at once.

    Parameters
    ----------
    dataset : Dataset
        Where to connect.
    token : str, optional
        CAVE token. Left out, it is read from the files caveclient uses:
        `~/.cloudvolume/secrets/<server>-cave-secret.json`, else `~/.cloudvolume/secrets/cave-secret.json`.
    """

    def __init__(self, dataset: Dataset, token: str | None = None) -> None:
        self.dataset = dataset
        self._given_token = token
        self._lock = threading.RLock()
        self._client: Any = None
        self._volume: Any = None
        self._graph: ChunkedGraphSource | None = None
        self._watershed: Watershed | None = None

    @property
    def graph(self) -> ChunkedGraphSource:
        """The chunkedgraph, asked in bulk."""
        with self._lock:
            if self._graph is None:
                from crant_core.sources.chunkedgraph import ChunkedGraphSource  # heavy: numpy

                self._graph = ChunkedGraphSource(self.client, self.dataset.server, self.dataset.lasting)
            return self._graph

    @property
    def watershed(self) -> Watershed:
        """The supervoxels as voxels, read by storage chunk."""
        with self._lock:
            if self._watershed is None:
                from crant_core.sources.watershed import Watershed  # heavy: cloud-volume

                self._watershed = Watershed(self)
            return self._watershed

    def resolve_time(self, at: At) -> TimeBase:
        """Turn what was asked for into one UTC timestamp.

        Versions are asked of `GET /materialize/api/v3/datastack/{datastack}/version/{version}`.

        Raises
        ------
        VersionNotFound
            The dataset has no such materialization version.
        SourceError
        """
        if at.timestamp is not None:
            return TimeBase(at.text, at.timestamp)
        if at.version is None and not at.latest_version:
            return TimeBase(at.text, datetime.now(UTC))
        version = self._latest_version() if at.version is None else at.version
        return TimeBase(at.text, self._version_timestamp(version), version)

    def root_layer(self) -> int:
        """Return the chunkedgraph's top layer, the layer of root ids.

        Source: `GET /segmentation/table/{table}/info`, `graph.n_layers`.

        Raises
        ------
        SourceError
        """
        with translated(self.dataset.server):
            return int(self.client().chunkedgraph.segmentation_info["graph"]["n_layers"])

    def is_latest(self, root_ids: Sequence[int], timestamp: datetime) -> list[bool]:
        """Say for each root, in input order, whether it is current at `timestamp`; unknown ids are not.

        Source: `POST /segmentation/api/v1/table/{table}/is_latest_roots`.

        Raises
        ------
        SourceError
        """
        latest: list[bool] = []
        for start in range(0, len(root_ids), _IDS_PER_REQUEST):
            latest += self._is_latest_batch(
                [int(root) for root in root_ids[start : start + _IDS_PER_REQUEST]], timestamp
            )
        return latest

    def mesh(self, root_id: int) -> Mesh:
        """Fetch a neuron's surface.

        Source: `GET /meshing/api/v1/table/{table}/manifest/{root}:0`, then its fragments from the bucket.

        Returns
        -------
        Mesh
            Vertices in nm. Fragments are joined but not welded: a vertex on a chunk border may occur twice.

        Raises
        ------
        MeshNotFound
        DataMissing
            The bucket lacks a piece of it.
        SourceError
        """
        found = self._download(root_id)
        return _checked(root_id, found.vertices, found.faces)

    def mesh_pieces(self, node: int, layer: int | None = None) -> dict[int, Mesh]:
        """Fetch the pieces that a node's surface is stored in.

        Source: `GET /meshing/api/v1/table/{table}/manifest/{node}:0`, then its fragments from the bucket.

        Parameters
        ----------
        node : int
            A root, or an L2 id.
        layer : int, optional
            The highest layer that pieces are of; 2: L2 chunks. Left out: as few pieces as there can be.

        Returns
        -------
        dict of int to Mesh
            By the node that each is of; vertices in nm, those on a border in both pieces. Parts of the node that were
            never meshed, or not yet, are in none: the server does not say so.

        Raises
        ------
        MeshNotFound
            Nothing of it was meshed.
        DataMissing
            The bucket lacks a piece.
        SourceError
        """
        with translated(self.dataset.server):
            found = self._segmentation().mesh.pieces(node, layer)
        pieces = {int(piece.segid): piece for piece in found if len(piece.vertices) and len(piece.faces)}
        if not pieces:
            raise MeshNotFound(f"{self.dataset.name} has no mesh for {node}", value=node)
        return {piece: _checked(piece, mesh.vertices, mesh.faces) for piece, mesh in pieces.items()}

    def _download(self, root_id: int) -> Any:
        with translated(self.dataset.server):
            volume = self._segmentation()
            try:
                # Welding is the skeletonizer's business, and cloud-volume's own prints to stdout.
                return volume.mesh.get(root_id, deduplicate_chunk_boundaries=False)[root_id]
            except IndexError as error:
                if "No mesh" not in str(error):
                    raise
                raise MeshNotFound(f"{self.dataset.name} has no mesh for {root_id}", value=root_id) from error

    def _is_latest_batch(self, root_ids: Sequence[int], timestamp: datetime) -> list[bool]:
        with translated(self.dataset.server):
            answer = self.client().chunkedgraph.is_latest_roots(list(root_ids), timestamp=timestamp)
        if len(answer) != len(root_ids):
            message = f"{self.dataset.server} answered for {len(answer)} of {len(root_ids)} ids"
            raise SourceError(message, value=len(answer))
        return [bool(is_latest) for is_latest in answer]

    def _latest_version(self) -> int:
        with translated(self.dataset.server):
            versions = self.client().materialize.get_versions()
        if not versions:
            raise VersionNotFound(f"{self.dataset.name} has no materialization version", hint='use "live"')
        return int(max(versions))

    def _version_timestamp(self, version: int) -> datetime:
        try:
            with translated(self.dataset.server):
                moment: datetime = self.client().materialize.get_timestamp(version)
        except SourceError as error:
            if error.value not in _VERSION_IS_GONE:
                raise
            raise VersionNotFound(
                f"{self.dataset.name} has no materialization version {version}", value=version
            ) from error
        return moment.astimezone(UTC)

    def segmentation_source(self) -> str:
        """Return the address of the segmentation, as CAVE's description of the datastack gives it.

        Raises
        ------
        SourceError
        """
        with translated(self.dataset.server):
            return str(self.client().info.segmentation_source())

    def datastacks(self) -> list[str]:
        """List the datastacks of the server.

        Source: `GET /info/api/v2/datastacks`.

        Raises
        ------
        SourceError
        """
        with translated(self.dataset.server):
            return list(self.client().info.get_datastacks())

    def client(self) -> Any:
        """Return the source's own caveclient; leave it as it is.

        Raises
        ------
        SourceTokenMissing
        requests.RequestException
        """
        with self._lock:
            if self._client is None:
                self._client = self._connect()
            caches.switch((self.dataset.server, self.dataset.datastack, self._client.auth.token))
            return self._client

    def new_client(self) -> Any:
        """Return a caveclient of the caller's own.

        Raises
        ------
        SourceTokenMissing
        SourceError
        """
        with translated(self.dataset.server):
            return self._connect()

    def new_volume(self, **options: Any) -> Any:
        """Open the segmentation for the caller alone; see `open_volume`.

        Raises
        ------
        SourceTokenMissing
        SourceError
        """
        with translated(self.dataset.server):
            info = self.client().chunkedgraph.segmentation_info
        return open_volume(self.segmentation_source(), self.token(), info, **options)

    def token(self) -> str:
        """Return the CAVE token that is used.

        Raises
        ------
        SourceTokenMissing
            Nobody is asked for one.
        """
        token = self._given_token or _stored_token(self.dataset.server)
        if not token:
            hint = (
                f"get one from {self.dataset.server}/auth/api/v1/create_token and call set_cave_token, or store it as "
                '{"token": "…"} in ~/.cloudvolume/secrets/cave-secret.json, or set CRANT_CAVE_TOKENS'
            )
            raise SourceTokenMissing(f"no CAVE token for {self.dataset.server}", hint=hint)
        return token

    def _connect(self) -> Any:
        from crant_core.sources.clients import connect  # heavy: caveclient

        return connect(self.dataset, self.token())

    def _segmentation(self) -> Any:
        with self._lock:
            if self._volume is None or getattr(self._volume.mesh, "is_mistaken", False):
                self._volume = self.new_volume()
            return self._volume


def _stored_token(server: str) -> str | None:
    from caveclient.auth import AuthClient

    try:
        token: str | None = AuthClient(server_address=server).token
    except (AttributeError, ValueError) as error:
        raise SourceTokenMissing(f"the file with the CAVE token for {server} cannot be read: {error}") from error
    return token


def _checked(root_id: int, vertices: Any, faces: Any) -> Mesh:
    import numpy as np

    mesh = Mesh(np.asarray(vertices, dtype=np.float64), np.asarray(faces, dtype=np.int64))
    if not len(mesh.vertices) or not len(mesh.faces):
        raise MeshNotFound(f"the mesh of {root_id} is empty", value=root_id)
    if not np.isfinite(mesh.vertices).all():
        raise SourceError(f"the mesh of {root_id} has vertices that are not numbers", value=root_id)
    if mesh.faces.min() < 0 or mesh.faces.max() >= len(mesh.vertices):
        raise SourceError(f"the mesh of {root_id} has faces with corners that it lacks", value=root_id)
    return mesh
