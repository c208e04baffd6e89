"""Sharded meshes: the fragments that existed when the graph was ingested, one shard file per chunk and layer.

Only writing needs cloud-volume, which makes a folder in the user's home when it is imported: the server does without.
"""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from crant_core.sandbox import layout
from crant_core.sandbox.world.fragments import MAX_LAYER

_ONLY_SHARD = "0"  # of a chunk: no bits of a fragment's hash choose a shard
_SPECIFICATION = {
    "@type": "neuroglancer_uint64_sharded_v1",
    "preshift_bits": 0,
    "hash": "murmurhash3_x86_128",
    "minishard_bits": 1,
    "shard_bits": 0,
    "minishard_index_encoding": "raw",
    "data_encoding": "raw",
}


def mesh_info() -> dict[str, Any]:
    """Return the mesh folder's `info`; cloud-volume wants a specification for every meshed layer."""
    layers = range(2, MAX_LAYER + 1)
    sharding = {str(layer): _SPECIFICATION for layer in layers}
    return {"@type": "neuroglancer_legacy_mesh", "mip": 0, "sharding": sharding}


def shard_name(node: int) -> str:
    """Return a fragment's shard, `layer/chunk-shard.shard`; `chunk` is the position's bits as one number."""
    layer = int(layout.layer_of(node))
    bits = 3 * layout.SPATIAL_BITS[layer]
    chunk = (node >> (56 - bits)) & ((1 << bits) - 1)
    return f"{layer}/{chunk}-{_ONLY_SHARD}.shard"


def write(folder: Path, fragments: dict[int, bytes]) -> NDArray[np.int64]:
    """Write all shard files; return (n, 4): node id, offset, size and minishard of each fragment, sorted by id."""
    from cloudvolume.datasource.precomputed.sharding import ShardingSpecification

    specification = ShardingSpecification.from_dict(_SPECIFICATION)
    shards: dict[str, dict[int, bytes]] = defaultdict(dict)
    for node, data in fragments.items():
        shards[shard_name(node)][node] = data
    places = [place for name, members in shards.items() for place in _write_one(specification, folder / name, members)]
    return np.array(sorted(places), dtype=np.int64)


def _write_one(specification: Any, path: Path, members: dict[int, bytes]) -> list[tuple[int, int, int, int]]:
    content = specification.synthesize_shard(members)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    minishards = {node: specification.compute_shard_location(np.uint64(node)).minishard_number for node in members}
    return [(node, content.index(data), len(data), int(minishards[node])) for node, data in members.items()]
