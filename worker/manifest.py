"""The manifest: what a job's results are, where they come from, and how to check them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any

from crant_core.datasets import Dataset
from crant_core.jobs.model import ItemState
from crant_core.jobs.repository.jobs import JobRepository
from crant_core.jobs.repository.recording import StoredFile
from crant_core.jobs.repository.results import ResultRows
from crant_core.jobs.tables import ArtifactRow, ItemRow, JobRow
from crant_core.kinds.base import File

_LIBRARIES = ("crant-batch", "numpy", "trimesh", "skeletor", "navis", "navis-fastcore", "cloud-volume", "caveclient")
_PAGE = 1000


def manifest(
    jobs: JobRepository,
    job: JobRow,
    dataset: Dataset,
    job_files: Sequence[StoredFile],
    rows: Sequence[ResultRows] = (),
) -> File:
    """Describe a job, every file it made with its checksum, and every item that failed with its reason."""
    failed = [
        _failure(item) for item in _all_items(jobs, job) if item.state in (ItemState.FAILED, ItemState.QUARANTINED)
    ]
    content = {
        "format": {"name": "crant-manifest", "version": 1},
        "job": {name: getattr(job, name) for name in ("id", "kind", "code_version", "label", "owner")},
        "dataset": dataset.model_dump(mode="json", exclude={"aliases", "description"}),
        "time": {"asked": job.at, "timestamp": job.timestamp, "materialization": job.version},
        "parameters": job.parameters,
        "input": {"sha256": job.input_id, "count": jobs.input_count(job)},
        "software": {name: version(name) for name in _LIBRARIES},
        "made_at": datetime.now(UTC),
        "counts": {"total": job.total, "succeeded": job.succeeded, "failed": job.failed},
        "failed": failed,
        "sql": [one.described() for one in rows],
        "files": [*map(_describe, _all_artifacts(jobs, job)), *map(_describe, job_files)],
    }
    data = json.dumps(content, indent=2, default=_as_text).encode()
    return File(name="manifest.json", media_type="application/json", data=data)


def _all_items(jobs: JobRepository, job: JobRow) -> Iterator[ItemRow]:
    after = -1
    while page := jobs.items(job.id, after=after, limit=_PAGE):
        yield from page
        after = page[-1].position


def _all_artifacts(jobs: JobRepository, job: JobRow) -> Iterator[ArtifactRow]:
    after = 0
    while page := jobs.artifacts(job.id, after=after, limit=_PAGE):
        yield from page
        after = page[-1].id


def _failure(item: ItemRow) -> dict[str, Any]:
    return {"key": item.key, "code": item.error_code, "message": item.error_message}


def _describe(file: ArtifactRow | StoredFile) -> dict[str, Any]:
    return {name: getattr(file, name) for name in ("name", "media_type", "size", "sha256", "meta")}


def _as_text(value: object) -> str:
    """Write times as RFC 3339; anything else that JSON does not know is a bug."""
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    raise TypeError(f"{value!r} has no place in a manifest")
