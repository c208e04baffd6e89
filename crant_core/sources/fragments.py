"""Meshes that come whole or not at all: cloud-volume leaves out what the bucket does not have, or breaks on it.

To cloud-files an object that is missing (404) and one that is forbidden (403) look alike, so to us as well.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterable, Mapping
from typing import Any

import DracoPy
from cloudfiles import CloudFiles
from cloudvolume.datasource.graphene.mesh import GrapheneShardedMeshSource, GrapheneUnshardedMeshSource
from cloudvolume.exceptions import MeshDecodeError
from cloudvolume.mesh import Mesh

from crant_core.errors import DataMissing, SourceError, SourceUnavailable

Piece = tuple[str, int | None, int | None]  #: a file, and the bytes of it if it is not all
_L2 = 2
_SHARDED = "~"  # what names of parts of larger files begin with
_HINT = "it may not be there, or be forbidden; fresh edits are meshed with a delay"


class _WholeManifests:
    """Refuses manifests that name no file for a piece: cloud-volume would do without the piece."""

    def fetch_manifest(self, segid: int, *args: Any, **kwargs: Any) -> Any:
        """Fetch and check a manifest."""
        try:
            manifest = super().fetch_manifest(segid, *args, **kwargs)  # type: ignore[misc] # cloud-volume's, untyped
        except json.JSONDecodeError as error:  # a proxy's page
            raise SourceUnavailable(f"the manifest of {segid} is no JSON", value=segid) from error
        if not isinstance(manifest, dict):
            raise SourceError(f"the manifest of {segid} is none", value=segid)
        names, nodes = manifest.get("fragments"), manifest.get("seg_ids")
        if names is not None and nodes is not None and len(names) != len(nodes):
            message = f"the manifest of {segid} lists {len(names)} files for {len(nodes)} pieces"
            raise SourceError(message, value=segid)
        unnamed = sum(not name for name in names or ())
        if unnamed:
            raise DataMissing(f"the manifest of {segid} names no file for {unnamed} of its pieces", value=segid)
        return manifest


class WholeUnshardedMeshes(_WholeManifests, GrapheneUnshardedMeshSource):  # type: ignore[misc]
    """Meshes whose pieces are plain files; so cloud-volume takes those of which the bucket gave no description."""

    is_mistaken = False  #: whether they turned out to be parts of larger files, so that the volume must be opened anew

    def pieces(self, node: int, layer: int | None = None) -> list[Mesh]:
        """Fetch the pieces that make up a node, those of the highest meshed nodes at or below a layer."""
        top = int(self.meta.meta.decode_layer_id(node)) if layer is None else layer
        names = self.fetch_manifest(node, level=top, return_segids=True).get("fragments") or []
        self._check_names(names)
        found = self._get_mesh_fragments({name: _node_of(name) for name in names})
        return [_plain(content, name) for name, content, _ in sorted(found)]

    def _check_names(self, names: Iterable[str]) -> None:
        if any(name.startswith(_SHARDED) for name in names):
            self.is_mistaken = True
            path = f"{self.meta.meta.cloudpath}/{self.meta.mesh_path}/info"
            message = f"the bucket gave no description of its meshes, {path}"
            raise SourceUnavailable(
                message, value=path, hint="it may be forbidden, or not have been there for a moment"
            )

    def _get_mesh_fragments(self, path_id_map: Mapping[str, int]) -> list[tuple[str, bytes, int]]:
        self._check_names(path_id_map)
        found: list[tuple[str, bytes | None, int]] = super()._get_mesh_fragments(path_id_map)
        _refuse_missing({name for name, content, _ in found if not content}, len(path_id_map))
        return [(name, content, node) for name, content, node in found if content]


class WholeShardedMeshes(_WholeManifests, GrapheneShardedMeshSource):  # type: ignore[misc]
    """Meshes whose pieces are parts of larger files, those of edited nodes plain files."""

    def get_meshes_via_manifest_byte_offsets(self, seg_id: int, bounding_box: Any) -> list[Mesh]:
        """Fetch the pieces that a manifest lists, in its order."""
        return self.pieces(seg_id, None if bounding_box is None else _L2, bounding_box)

    def pieces(self, node: int, layer: int | None = None, box: Any = None) -> list[Mesh]:
        """Fetch the pieces that make up a node, those of the highest meshed nodes at or below a layer."""
        top = int(self.meta.meta.decode_layer_id(node)) if layer is None else layer
        manifest = self.fetch_manifest(node, level=top, bbox=box, return_segids=True)
        if manifest.get("fragments") is None or manifest.get("seg_ids") is None:
            raise SourceError(f"the manifest of {node} does not say which pieces it is of", value=node)
        listed = self.parse_manifest_filenames(manifest)
        return self._dynamic(listed["dynamic"]) + self._initial(listed["initial"])

    def _dynamic(self, names: list[str]) -> list[Mesh]:
        pieces: dict[Piece, int] = {(name, None, None): int(name.partition(":")[0]) for name in names}
        return self._fetch(self.dynamic_path(), pieces)

    def _initial(self, places: list[tuple[str, str, int, int, int]]) -> list[Mesh]:
        pieces: dict[Piece, int] = {}
        for layer, name, start, size, node in places:
            pieces[f"{layer}/{name}", start, start + size] = node
        return self._fetch(self.meta.join(self.meta.mesh_path, self.meta.sharded_mesh_dir), pieces)

    def _fetch(self, folder: str, pieces: Mapping[Piece, int]) -> list[Mesh]:
        if not pieces:
            return []
        bucket = CloudFiles(
            self.meta.join(self.meta.meta.cloudpath, folder), secrets=self.config.secrets, parallel=1, progress=False
        )
        wanted = [{"path": path, "start": start, "end": end} for path, start, end in pieces]
        found = {(file["path"], *file["byte_range"]): file["content"] for file in bucket.get(wanted)}
        _refuse_missing({_name(piece) for piece in pieces if not found[piece]}, len(pieces))
        return [_decoded(found[piece], node, piece) for piece, node in pieces.items()]


def whole(meshes: Any) -> WholeShardedMeshes | WholeUnshardedMeshes:
    """Return a graphene volume's meshes, guarded."""
    kind = WholeShardedMeshes if isinstance(meshes, GrapheneShardedMeshSource) else WholeUnshardedMeshes
    return kind(meshes.meta, meshes.cache, meshes.config, meshes.readonly)


def _refuse_missing(missing: Iterable[str], total: int) -> None:
    names = sorted(missing)
    if names:
        message = f"the bucket gave no {names[0]}: {len(names)} of {total} pieces of a mesh are missing"
        raise DataMissing(message, value=names[0], hint=_HINT)


def _name(piece: Piece) -> str:
    path, start, end = piece
    return path if start is None else f"{path}, bytes {start} to {end}"


def _decoded(content: bytes, node: int, piece: Piece) -> Mesh:
    _, start, end = piece
    if start is not None and end is not None and len(content) != end - start:  # who ignores a range sends everything
        raise _damaged(piece, f"{len(content)} bytes came")
    try:
        mesh = Mesh.from_draco(content)
    except DracoPy.FileTypeException as error:
        raise _damaged(piece, "it is not Draco") from error
    mesh.segid = node
    return mesh


def _plain(content: bytes, name: str) -> Mesh:
    """Decode a plain file, which may be Draco or raw."""
    try:
        mesh = Mesh.from_draco(content)
    except DracoPy.FileTypeException:
        mesh = _raw(content, name)
    mesh.segid = _node_of(name)
    return mesh


def _node_of(name: str) -> int:
    """Return the node that a plain file is of, which its name begins with."""
    number = name.rpartition("/")[2].partition(":")[0]
    if not number.isdecimal():
        raise SourceError(f"{name!r} is no name of a mesh piece", value=name)
    return int(number)


def _raw(content: bytes, name: str) -> Mesh:
    try:
        return Mesh.from_precomputed(content)
    except (MeshDecodeError, ValueError, struct.error) as error:
        raise _damaged((name, None, None), "it is neither Draco nor raw") from error


def _damaged(piece: Piece, reason: str) -> SourceError:
    return SourceError(f"the mesh piece {_name(piece)} is damaged: {reason}", value=_name(piece))
