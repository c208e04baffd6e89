"""CAVE as a source: the real caveclient and the real cloud-volume, once per worker process."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any

from crant_core.datasets import Dataset
from crant_core.errors import MeshNotFound, SourceError, SourceTokenMissing, VersionNotFound
from crant_core.mesh import Mesh
from crant_core.sources import caches
from crant_core.sources.failures import translated
from crant_core.sources.volumes import open_volume
from crant_core.times import At, TimeBase

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
            return int(self._cave().chunkedgraph.segmentation_info["graph"]["n_layers"])

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
            answer = self._cave().chunkedgraph.is_latest_roots(list(root_ids), timestamp=timestamp)
        if len(answer) != len(root_ids):
            message = f"{self.dataset.server} answered for {len(answer)} of {len(root_ids)} ids"
            raise SourceError(message, value=len(answer))
        return [bool(is_latest) for is_latest in answer]

    def _latest_version(self) -> int:
        with translated(self.dataset.server):
            versions = self._cave().materialize.get_versions()
        if not versions:
            raise VersionNotFound(f"{self.dataset.name} has no materialization version", hint='use "live"')
        return int(max(versions))

    def _version_timestamp(self, version: int) -> datetime:
        try:
            with translated(self.dataset.server):
                moment: datetime = self._cave().materialize.get_timestamp(version)
        except SourceError as error:
            if error.value not in _VERSION_IS_GONE:
                raise
            raise VersionNotFound(
                f"{self.dataset.name} has no materialization version {version}", value=version
            ) from error
        return moment.astimezone(UTC)

    def _cave(self) -> Any:
        with self._lock:
            if self._client is None:
                from crant_core.sources.clients import connect  # heavy: caveclient

                self._client = connect(self.dataset, self._token())
            caches.switch((self.dataset.server, self.dataset.datastack, self._client.auth.token))
            return self._client

    def _segmentation(self) -> Any:
        with self._lock:
            client = self._cave()
            if self._volume is None:
                info = client.chunkedgraph.segmentation_info
                self._volume = open_volume(client.info.segmentation_source(), self._token(), info)
            return self._volume

    def _token(self) -> str:
        token = self._given_token or _stored_token(self.dataset.server)
        if not token:
            hint = (
                f"get one from {self.dataset.server}/auth/api/v1/create_token and store it as "
                '{"token": "…"} in ~/.cloudvolume/secrets/cave-secret.json'
            )
            raise SourceTokenMissing(f"no CAVE token for {self.dataset.server}", hint=hint)
        return token


def _stored_token(server: str) -> str | None:
    from caveclient.auth import AuthClient

    token: str | None = AuthClient(server_address=server).token
    return token


def _checked(root_id: int, vertices: Any, faces: Any) -> Mesh:
    import numpy as np

    mesh = Mesh(np.asarray(vertices, dtype=np.float64), np.asarray(faces, dtype=np.int64))
    if not len(mesh.vertices) or not len(mesh.faces):
        raise MeshNotFound(f"the mesh of {root_id} is empty", value=root_id)
    if not np.isfinite(mesh.vertices).all():
        raise SourceError(f"the mesh of {root_id} has vertices that are not numbers", value=root_id)
    return mesh
