"""Removes old runs, and files that no job has any more: what it would do first, what it did then.

Workers may go on meanwhile, another purge may run, and either may die at any point: a run goes in one transaction, and
a file only if no job has it and nobody wrote it lately. Who stores bytes that are there already makes their file young.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta

from crant_core.jobs.artifacts import CloudStore
from crant_core.jobs.repository.retention import RetentionRepository
from crant_core.jobs.repository.reuse import batches
from crant_core.jobs.tables import JobRow

RUNS = ("refresh",)  #: kinds of which one run follows another
GRACE = timedelta(hours=24)  #: longer than any unit takes from its first file to its last record


@dataclass(frozen=True)
class Purged:
    """What was removed, or would be."""

    runs: list[JobRow] = field(default_factory=list)
    files: list[str] = field(default_factory=list)  #: checksums
    size: int = 0  #: bytes


def purge(
    repository: RetentionRepository,
    store: CloudStore,
    *,
    keep: int,
    grace: timedelta = GRACE,
    really: bool = False,
) -> Purged:
    """Remove what nobody needs.

    Parameters
    ----------
    repository : RetentionRepository
    store : CloudStore
    keep : int
        Runs of each series that stay.
    grace : timedelta
        How old a file must be.
    really : bool
        Otherwise nothing is removed. Files that only runs have which would go are not listed then.

    Returns
    -------
    Purged
    """
    old = repository.old_runs(RUNS, keep)
    runs = [job for job in old if repository.remove(job.id)] if really else old
    files, size = [], 0
    store.tidy(grace)
    for batch in batches(store.stored()):
        referred = repository.referred(batch)
        for digest in batch:
            if digest in referred:
                continue
            freed = store.remove(digest, grace, really=really)
            if freed is not None:
                files.append(digest)
                size += freed
    return Purged(runs, files, size)
