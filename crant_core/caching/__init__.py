"""What is remembered: answers in memory, for hours, and on disk, for ever, if they can never change."""

from __future__ import annotations

from crant_core.caching.memory import Cache, clear_global_cache, get_global_cache
from crant_core.caching.per_id import cached_per_id
from crant_core.caching.results import cached_result
from crant_core.caching.store import IdStore, clear_store, id_store

__all__ = [
    "Cache",
    "IdStore",
    "cached_per_id",
    "cached_result",
    "clear_global_cache",
    "clear_store",
    "get_global_cache",
    "id_store",
]
