"""What routes ask for: the services, who is calling, and the job in the path."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Path, Request, Security
from fastapi.security import APIKeyCookie, HTTPBearer
from fastapi.security.http import HTTPAuthorizationCredentials

from api.services import Services
from crant_core.errors import AccessDenied, TokenMissing
from crant_core.jobs.model import Scope
from crant_core.jobs.repository.jobs import Viewer
from crant_core.jobs.repository.tokens import Identity
from crant_core.jobs.tables import JobRow

COOKIE = "crant_token"

_bearer = HTTPBearer(auto_error=False, description="A token from `crant up` or your administrator")
_cookie = APIKeyCookie(name=COOKIE, auto_error=False, description="Set by the dashboard; good for reading only")


def get_services(request: Request) -> Services:
    """Return what the application was built with."""
    services: Services = request.app.state.services
    return services


ServicesDep = Annotated[Services, Depends(get_services)]


def get_identity(
    request: Request,
    services: ServicesDep,
    bearer: Annotated[HTTPAuthorizationCredentials | None, Security(_bearer)],
    cookie: Annotated[str | None, Security(_cookie)],
) -> Identity:
    """Say who is calling.

    The dashboard's cookie only reads: a browser sends cookies on its own, so no page elsewhere can change anything.
    """
    reading = request.method in ("GET", "HEAD")
    token = bearer.credentials if bearer else cookie if reading else None
    if token is None:
        raise TokenMissing(hint="send the header 'Authorization: Bearer TOKEN'")
    return services.tokens.identify(token)


IdentityDep = Annotated[Identity, Depends(get_identity)]


def require(identity: Identity, scope: Scope) -> None:
    """Refuse a caller without this scope; administrators have every scope."""
    if not identity.scopes & {scope, Scope.ADMIN}:
        raise AccessDenied(f"this token does not allow to {scope}", hint=f"ask for a token with the scope {scope}")


def get_viewer(identity: IdentityDep) -> Viewer:
    """Say what the caller may see."""
    require(identity, Scope.READ)
    return viewer_of(identity)


def viewer_of(identity: Identity) -> Viewer:
    """Say what a caller may see or change."""
    return Viewer(owner=identity.owner, sees_all=Scope.ADMIN in identity.scopes)


ViewerDep = Annotated[Viewer, Depends(get_viewer)]


def get_job(services: ServicesDep, viewer: ViewerDep, job_id: Annotated[str, Path(max_length=32)]) -> JobRow:
    """Return the job in the path, if the caller may see it."""
    return services.jobs.get(job_id, viewer)


def get_own_job(services: ServicesDep, identity: IdentityDep, job_id: Annotated[str, Path(max_length=32)]) -> JobRow:
    """Return the job in the path, if the caller may change it."""
    require(identity, Scope.SUBMIT)
    return services.jobs.get(job_id, viewer_of(identity))


OwnJobDep = Annotated[JobRow, Depends(get_own_job)]
JobDep = Annotated[JobRow, Depends(get_job)]
