"""Mesh objects: shards of what the ingest made, fragments of what edits made, surfaces of neuropils and the brain."""

from __future__ import annotations

from functools import cache, lru_cache
from typing import Any

from crant_core.sandbox import layout
from crant_core.sandbox.anatomy import Anatomy
from crant_core.sandbox.objects.segmentation import SCALES
from crant_core.sandbox.objects.stored import Stored, stored_json
from crant_core.sandbox.objects.volumes import info
from crant_core.sandbox.world import fragments, multilod, shards
from crant_core.sandbox.world.world import World


def find(anatomy: Anatomy, path: str) -> Stored | None:
    """Return an object of the sharded mesh folder: `info`, `initial/…shard`, `dynamic/…`."""
    if path == "info":
        return stored_json(shards.mesh_info())
    folder, _, rest = path.partition("/")
    if folder == "initial":
        return _file(anatomy.world, f"shards/{rest}")
    return _draco(anatomy, node_of(rest)) if folder == "dynamic" else None


def find_plain(anatomy: Anatomy, name: str) -> Stored | None:
    """Return a fragment of the unsharded mesh folder, in the legacy format; there is no `info`."""
    node = node_of(name)
    surface = anatomy.surface(node) if node and _names(node, name) else None
    return Stored(fragments.raw(surface)) if surface else None


def node_of(name: str) -> int:
    """Return the node that a fragment's file name begins with, 0 if it does not."""
    number = name.partition(":")[0]
    return int(number) if number.isdigit() and int(number) < 1 << 63 else 0


def _names(node: int, name: str) -> bool:
    return node >> 56 >= 2 and fragments.dynamic_name(node) == name  # noqa: PLR2004 - the L2 layer


@lru_cache(256)
def _draco(anatomy: Anatomy, node: int) -> Stored | None:
    surface = anatomy.surface(node) if node else None
    if surface is None:
        return None
    return Stored(fragments.encode(surface, int(layout.layer_of(node)), layout.chunk_of(node)))


def _file(world: World, path: str) -> Stored | None:
    full = (world.folder / path).resolve()
    inside = full.is_relative_to(world.folder.resolve())
    return Stored(full.read_bytes()) if inside and full.is_file() else None


def find_neuropil(world: World, path: str) -> Stored | None:
    """Return `info`, or of the mesh folder `info`, `{number}.index` and `{number}` (multi-resolution Draco)."""
    if path == "info":  # cloud-volume opens no source that has meshes only
        return stored_json(info((SCALES[-1],), "segmentation", "uint64", mesh="mesh"))
    folder, _, name = path.partition("/")
    if folder != "mesh":
        return None
    if name == "info":
        return stored_json(multilod.info())
    number, _, kind = name.partition(".")
    if not number.isdigit() or not (world.folder / "surfaces" / f"neuropil_{number}.npz").is_file():
        return None
    index, data = _neuropil(world, int(number))
    return Stored(index if kind == "index" else data)


@cache
def _neuropil(world: World, number: int) -> tuple[bytes, bytes]:
    surface = world.surface(f"neuropil_{number}")
    found: tuple[bytes, bytes] = multilod.encode(surface.vertices, surface.faces)
    return found


def find_brain(world: World, path: str) -> Stored | None:
    """Return the brain's surface as the legacy mesh of segment 1."""
    if path == "mesh/tissue_mesh.frag":
        return Stored(fragments.raw(world.surface("brain")))
    known: dict[str, dict[str, Any]] = {
        "info": {"@type": "neuroglancer_legacy_mesh", "mesh": "mesh"},
        "mesh/info": {"@type": "neuroglancer_legacy_mesh"},
        "mesh/1:0": {"fragments": ["tissue_mesh.frag"]},
    }
    return stored_json(known[path]) if path in known else None
