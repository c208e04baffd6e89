"""The functions on L2 chunks, what they ask of the offline CAVE, and what it knows."""

from __future__ import annotations

from collections import Counter
from typing import Any

from crant_core.l2 import find_anchor_loc, get_l2_chunk_info, get_l2_dotprops, get_l2_info, get_l2_skeleton
from crant_core.sandbox.anatomy import Anatomy
from tests.fixtures.neurons import graph, live_roots, world
from tests.fixtures.sandbox import Sandbox

UNKNOWN = (8 << 56) | 12_345
TABLES = (get_l2_info, get_l2_chunk_info, find_anchor_loc)
NEURONS = (get_l2_skeleton, get_l2_dotprops)


def asked(sandbox: Sandbox) -> Counter[str]:
    """Count the requests since the log was emptied, by the last part of the path."""
    return Counter(entry["path"].rsplit("/", 1)[-1] for entry in sandbox.control("GET", "log")["entries"])


def chunks(root: int) -> list[int]:
    return sorted(graph().l2_of(root).tolist())


def knowing(sandbox: Sandbox, *ids: int, **more: Any) -> None:
    """Let the L2 cache know these chunks only; of the others it says nothing, in one of two ways."""
    anatomy = Anatomy(world(), graph())
    body: dict[str, Any] = {str(l2_id): anatomy.attributes(l2_id) | more for l2_id in ids}
    body |= {str(l2_id): {} for root in live_roots()[:2] for l2_id in chunks(root)[::2] if l2_id not in ids}
    sandbox.control("POST", "fault", {"pattern": "/l2cache/", "status": 200, "body": body})
