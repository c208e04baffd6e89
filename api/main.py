"""Composes the API. Run it with `uvicorn --factory api.main:create_app`."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI
from fastapi_offline import FastAPIOffline

from api import errors
from api.body import BodyLimit
from api.crossing import OpenToOtherSites
from api.dashboard.views import mount_dashboard
from api.described import describe_problems
from api.requests import Requests
from api.routes import (
    artifacts,
    catalogue,
    events,
    health,
    inputs,
    jobs,
    metrics,
    precomputed,
    refreshes,
    results,
    schedules,
    skeletoncache,
    tokens,
)
from api.services import Services
from crant_core.jobs import tracing
from crant_core.jobs.logs import adopt_libraries, configure
from crant_core.jobs.settings import Settings

_DESCRIPTION = """
Batch jobs for connectomics labs on CAVE. Send `Authorization: Bearer TOKEN`. Ids are strings in answers, because JSON
numbers lose digits above 2^53; requests may use strings or integers. Errors are RFC 9457 problems with a stable `code`.
"""


_ROUTES = (
    *(jobs, refreshes, inputs, events, results, artifacts, schedules, catalogue),
    *(health, metrics, precomputed, skeletoncache, tokens),
)


def create_app(settings: Settings | None = None) -> FastAPI:
    """Build the application; without settings, from the CRANT_* environment."""
    if settings is None:
        settings = Settings()  # read from the environment, by whoever runs this as a program
        adopt_libraries(settings)
        if settings.traces_endpoint:
            tracing.configure("crant-api")
    configure(settings)
    services = Services(settings)
    app = FastAPIOffline(title="crant-batch", version=services.version, description=_DESCRIPTION, lifespan=_lifespan)
    app.state.services = services
    errors.install(app)
    app.add_middleware(BodyLimit, upload_bytes=settings.upload_megabytes * 2**20, pause_seconds=settings.body_seconds)
    app.add_middleware(OpenToOtherSites)
    app.add_middleware(Requests, metrics=services.metrics)
    for routes in _ROUTES:
        app.include_router(routes.router)
    mount_dashboard(app)
    describe_problems(app)
    return app


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    yield
    tracing.flush()
    app.state.services.close()
