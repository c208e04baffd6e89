"""Where everybody gets at a dataset: by name, with its token, through one shared source."""

from __future__ import annotations

from crant_core.access.clients import (
    clear_all_caches,
    clear_cave_client_cache,
    clear_cloudvolume_cache,
    get_cave_client,
    get_cave_datastacks,
    get_cloudvolume,
    get_dataset_segmentation_source,
    get_datastack_segmentation_source,
    validate_cave_client,
)
from crant_core.access.logs import (
    configure_urllib3_warning_suppression,
    set_logging_level,
    suppress_urllib3_connectionpool_warnings,
)
from crant_core.access.sources import source_of, source_of_client
from crant_core.access.tokens import generate_cave_token, get_current_cave_token, set_cave_token
from crant_core.registry import dataset_of, default_dataset, get_dataset, register, set_default_dataset

__all__ = [
    "clear_all_caches",
    "clear_cave_client_cache",
    "clear_cloudvolume_cache",
    "configure_urllib3_warning_suppression",
    "dataset_of",
    "default_dataset",
    "generate_cave_token",
    "get_cave_client",
    "get_cave_datastacks",
    "get_cloudvolume",
    "get_current_cave_token",
    "get_dataset",
    "get_dataset_segmentation_source",
    "get_datastack_segmentation_source",
    "register",
    "set_cave_token",
    "set_default_dataset",
    "set_logging_level",
    "source_of",
    "source_of_client",
    "suppress_urllib3_connectionpool_warnings",
    "validate_cave_client",
]
