"""A job's result files."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import FileResponse, Response

from api.deps import JobDep, ServicesDep
from crant_core.jobs.tables import ArtifactRow
from crant_core.jobs.wire import ArtifactPage, ArtifactView, Problem

router = APIRouter(prefix="/v1/jobs", tags=["jobs"], responses={"4XX": {"model": Problem}})


@router.get("/{job_id}/artifacts")
def list_artifacts(
    services: ServicesDep,
    job: JobDep,
    after: Annotated[int, Query(ge=0)] = 0,
    limit: Annotated[int, Query(ge=1, le=1000)] = 1000,
) -> ArtifactPage:
    """List a job's files in the order they were made."""
    rows = services.jobs.artifacts(job.id, after=after, limit=limit)
    more = f"/v1/jobs/{job.id}/artifacts?after={rows[-1].id}&limit={limit}" if len(rows) == limit else None
    return ArtifactPage(artifacts=[ArtifactView.model_validate(row) for row in rows], next=more)


@router.get("/{job_id}/artifacts/{name}", response_class=Response)
def get_artifact(services: ServicesDep, job: JobDep, name: str) -> Response:
    """Fetch one file, whole or in ranges; its ETag is the sha256 of its bytes."""
    artifact = services.jobs.artifact(job.id, name)
    path = services.store.local_path(artifact.sha256)
    if path is not None:
        return FileResponse(path, media_type=artifact.media_type, headers=_headers(artifact))
    return Response(services.store.get(artifact.sha256), media_type=artifact.media_type, headers=_headers(artifact))


def _headers(artifact: ArtifactRow) -> dict[str, str]:
    """Let browsers keep the file for ever, and never guess its type or run it."""
    return {
        "ETag": f'"{artifact.sha256}"',
        "Cache-Control": "private, max-age=31536000, immutable",
        "Content-Disposition": f'inline; filename="{artifact.name}"',
        "X-Content-Type-Options": "nosniff",
    }
