"""Is it alive, and can it work? Open to everybody."""

from __future__ import annotations

from fastapi import APIRouter
from fastapi.responses import JSONResponse

from api.deps import ServicesDep
from api.services import Services
from crant_core.jobs import schema
from crant_core.jobs.repository.ticks import BEAT

router = APIRouter(tags=["health"])


@router.get("/healthz")
def is_alive() -> dict[str, str]:
    """Say that the process answers."""
    return {"status": "alive"}


@router.get("/readyz", responses={503: {"description": "Not ready; `checks` says why"}})
def is_ready(services: ServicesDep) -> JSONResponse:
    """Say whether a job submitted now would be worked on: the schema is right and a worker is alive."""
    checks = {"database": schema.is_usable(services.database)}
    checks["worker"] = checks["database"] and services.jobs.work_is_offered()
    ready = all(checks.values())
    beat = _beat(services) if checks["database"] else None
    return JSONResponse({"ready": ready, "checks": checks, "beat": beat}, 200 if ready else 503)


def _beat(services: Services) -> dict[str, str | bool | None]:
    """Say whether beat ticks. Jobs are done without it, and schedules too, a minute later: so it is no check."""
    last = services.ticks.last(BEAT)
    silent = services.ticks.is_silent(BEAT, services.settings.tick_seconds)
    return {"ticks": not silent, "last": last.isoformat() if last else None}
