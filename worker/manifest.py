"""The manifest: what a job's results are, where they come from, and how to check them.

It is written while it is read from the database, a line for each file and each failed item: that of a million neurons
is as large as a skeleton of each, and needs no memory.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from itertools import chain
from typing import Any, TypeVar

from crant_core.datasets import Dataset
from crant_core.jobs.model import ItemState
from crant_core.jobs.repository.jobs import JobRepository
from crant_core.jobs.repository.recording import StoredFile
from crant_core.jobs.repository.results import ResultRows
from crant_core.jobs.tables import ArtifactRow, ItemRow, JobRow

NAME, MEDIA_TYPE = "manifest.json", "application/json"
_LIBRARIES = ("crant-batch", "numpy", "trimesh", "skeletor", "navis", "navis-fastcore", "cloud-volume", "caveclient")
_PAGE = 1000


Row = TypeVar("Row", ItemRow, ArtifactRow)


def manifest(
    jobs: JobRepository,
    job: JobRow,
    dataset: Dataset,
    job_files: Sequence[StoredFile],
    rows: Sequence[ResultRows] = (),
) -> Iterator[bytes]:
    """Describe a job, every file it made with its checksum, and every item that failed with its reason: JSON, in parts.

    `job_files` and `rows` are those of the job as a whole, which are not in the database yet.
    """
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
        "sql": [one.described() for one in rows],
    }
    lists = {"failed": _failures(jobs, job), "files": chain(_files(jobs, job), map(_describe, job_files))}
    return (part.encode() for part in _written(content, lists))


def _written(content: Mapping[str, Any], lists: Mapping[str, Iterable[Mapping[str, Any]]]) -> Iterator[str]:
    """Write an object with long lists at its end, of which one row is in memory at a time."""
    yield _json(content, indent=2).removesuffix("\n}")
    for name, rows in lists.items():
        yield f',\n  "{name}": ['
        for number, row in enumerate(rows):
            yield f"{',' if number else ''}\n    {_json(row)}"
        yield "\n  ]"
    yield "\n}\n"


def _json(value: object, **options: Any) -> str:
    return json.dumps(value, default=_as_text, **options)


def _failures(jobs: JobRepository, job: JobRow) -> Iterator[dict[str, Any]]:
    def page(after: int) -> list[ItemRow]:
        return jobs.items(job.id, after=after, limit=_PAGE, state=ItemState.FAILED)  # with those in quarantine

    return map(_failure, _paged(page, -1, lambda item: item.position))


def _files(jobs: JobRepository, job: JobRow) -> Iterator[dict[str, Any]]:
    def page(after: int) -> list[ArtifactRow]:
        return jobs.item_artifacts(job.id, after=after, limit=_PAGE)

    return map(_describe, _paged(page, 0, lambda file: file.id))


def _paged(page: Callable[[int], list[Row]], first: int, place: Callable[[Row], int]) -> Iterator[Row]:
    after = first
    while rows := page(after):
        yield from rows
        after = place(rows[-1])


def _failure(item: ItemRow) -> dict[str, Any]:
    return {"key": item.key, "code": item.error_code, "message": item.error_message}


def _describe(file: ArtifactRow | StoredFile) -> dict[str, Any]:
    return {name: getattr(file, name) for name in ("name", "media_type", "size", "sha256", "meta")}


def _as_text(value: object) -> str:
    """Write times as RFC 3339; anything else that JSON does not know is a bug."""
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    raise TypeError(f"{value!r} has no place in a manifest")
