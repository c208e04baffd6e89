"""Numbers for Prometheus, which needs a token with the scope `metrics`."""

from __future__ import annotations

from fastapi import APIRouter
from fastapi.responses import Response

from api.deps import IdentityDep, ServicesDep, require
from api.metrics import MEDIA_TYPE
from crant_core.jobs.model import Scope

router = APIRouter(tags=["health"])


@router.get("/metrics", response_class=Response, responses={200: {"content": {MEDIA_TYPE: {}}}})
def read_metrics(services: ServicesDep, identity: IdentityDep) -> Response:
    """Say what the service does, in numbers."""
    require(identity, Scope.METRICS)
    return Response(services.metrics.text(), media_type=MEDIA_TYPE)
