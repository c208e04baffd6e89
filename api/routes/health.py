"""Is it alive, and can it work? Open to everybody."""

from __future__ import annotations

from fastapi import APIRouter
from fastapi.responses import JSONResponse

from api.deps import ServicesDep
from crant_core.jobs import schema

router = APIRouter(tags=["health"])


@router.get("/healthz")
def is_alive() -> dict[str, str]:
    """Say that the process answers."""
    return {"status": "alive"}


@router.get("/readyz", responses={503: {"description": "Not ready; `checks` says why"}})
def is_ready(services: ServicesDep) -> JSONResponse:
    """Say whether a job submitted now would be worked on: the schema is right and a worker is alive."""
    checks = {"database": schema.is_current(services.database)}
    checks["worker"] = checks["database"] and services.jobs.work_is_offered()
    ready = all(checks.values())
    return JSONResponse({"ready": ready, "checks": checks}, 200 if ready else 503)
