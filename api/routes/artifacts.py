"""A job's result files."""

from __future__ import annotations

from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Annotated
from urllib.parse import quote

from fastapi import APIRouter, Query, Request
from fastapi.responses import FileResponse, Response
from starlette.background import BackgroundTask

from api.deps import LARGEST, JobDep, ServicesDep
from api.fresh import unchanged
from crant_core.jobs.tables import ArtifactRow
from crant_core.jobs.wire import ArtifactPage, ArtifactView, Problem

router = APIRouter(prefix="/v1/jobs", tags=["jobs"], responses={"4XX": {"model": Problem}})


@router.get("/{job_id}/artifacts")
def list_artifacts(
    services: ServicesDep,
    job: JobDep,
    after: Annotated[int, Query(ge=0, le=LARGEST)] = 0,
    limit: Annotated[int, Query(ge=1, le=1000)] = 1000,
) -> ArtifactPage:
    """List a job's files in the order they were made."""
    rows = services.jobs.artifacts(job.id, after=after, limit=limit)
    more = f"/v1/jobs/{job.id}/artifacts?after={rows[-1].id}&limit={limit}" if len(rows) == limit else None
    return ArtifactPage(artifacts=[ArtifactView.model_validate(row) for row in rows], next=more)


@router.head("/{job_id}/artifacts/{name}", include_in_schema=False)
@router.get("/{job_id}/artifacts/{name}", response_class=Response)
def get_artifact(request: Request, services: ServicesDep, job: JobDep, name: str) -> Response:
    """Fetch one file, whole or in ranges; its ETag is the sha256 of its bytes."""
    artifact = services.jobs.artifact(job.id, name)
    headers = _headers(artifact)
    if unchanged(request, headers["ETag"]):
        return Response(status_code=304, headers=headers)
    path = services.store.local_path(artifact.sha256)
    if path is not None:
        return FileResponse(path, media_type=artifact.media_type, headers=headers)
    return _from_afar(services.store.get(artifact.sha256), artifact.media_type, headers)


def _from_afar(data: bytes, media_type: str, headers: dict[str, str]) -> Response:
    """Serve what lies in an object store as if it were a file here, so that ranges are the same."""
    with NamedTemporaryFile(prefix="crant-artifact-", delete=False) as file:
        file.write(data)
    path = Path(file.name)
    gone = BackgroundTask(path.unlink, missing_ok=True)
    return FileResponse(path, media_type=media_type, headers=headers, background=gone)


def _headers(artifact: ArtifactRow) -> dict[str, str]:
    """Let browsers keep the file for ever, and never guess its type or run it."""
    return {
        "ETag": f'"{artifact.sha256}"',
        "Cache-Control": "private, max-age=31536000, immutable",
        "Content-Disposition": f"inline; filename*=utf-8''{quote(artifact.name, safe='')}",
        "X-Content-Type-Options": "nosniff",
    }
