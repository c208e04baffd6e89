"""Looks whether results that would be taken are still there: a row in SQL outlives a deleted file."""

from __future__ import annotations

from collections.abc import Iterable

import structlog

from crant_core.jobs.artifacts import ArtifactStore
from crant_core.jobs.repository.stored import StoredRepository

log = structlog.get_logger()


def forget_lost(stored: StoredRepository, store: ArtifactStore, addresses: Iterable[str]) -> int:
    """Forget those of these results whose files are gone or cut short, so that they are made again; count them.

    Done before a transaction takes results, not in it: asking an object store takes its time.
    """
    items = stored.items(addresses)
    files = stored.files(items.values())
    gone = store.missing({file.sha256: file.size for rows in files.values() for file in rows})
    damaged = {item for item, rows in files.items() if any(file.sha256 in gone for file in rows)}
    lost = {address: item for address, item in items.items() if item in damaged}
    if lost:
        log.warning("stored results are gone", action="results_lost", results=len(lost), files=sorted(gone)[:3])
        stored.forget(lost)
    return len(lost)
