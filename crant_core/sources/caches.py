"""The caches that CAVE's clients share between all servers, datastacks and tokens of a process."""

from __future__ import annotations

import sys
import threading
from typing import Any

# caveclient keeps for a day, by table or schema name alone; for half a day, by client, what its methods then hand out
# without a copy; and all tables' metadata by datastack and version, whatever the server. cloud-volume and cloud-files
# keep tokens by domain, as long as the process lives.
_CACHES = (
    ("caveclient.tools.table_manager", "_schema_cache"),
    ("caveclient.tools.table_manager", "_table_cache"),
    ("caveclient.tools.table_manager", "_metadata_cache"),
    ("caveclient.materializationengine", "MaterializationClient.get_versions_metadata.cache"),
    ("caveclient.materializationengine", "MaterializationClient.get_table_metadata.cache"),
    ("caveclient.materializationengine", "MaterializationClient.get_tables_metadata.cache"),
    ("caveclient.skeletonservice", "SkeletonClient.get_precomputed_skeleton_info.cache"),
    ("cloudvolume.secrets", "CAVE_CREDENTIALS_CACHE"),
    ("cloudfiles.secrets", "CAVE_CREDENTIALS"),
)
_lock = threading.Lock()
_owner: object = None


def switch(owner: object) -> None:
    """Forget everything if the caches were last filled for somebody else.

    This keeps apart sources that take turns. Threads that use two sources at the same time still share the caches: give
    each its own process, or do not use `client.materialize.tables` there.

    Parameters
    ----------
    owner : object
        Server, datastack and token, or anything else that compares equal only for the same three.
    """
    global _owner  # noqa: PLW0603 - the caches are global
    with _lock:
        if owner != _owner:
            forget()
            _owner = owner


def forget() -> None:
    """Empty the caches, so that the next answers come from the server and the next token from its file."""
    for module, path in _CACHES:
        if module in sys.modules:
            _find(sys.modules[module], path).clear()


def _find(found: Any, path: str) -> Any:
    for name in path.split("."):
        found = getattr(found, name)
    return found
