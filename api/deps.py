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
LARGEST = 2**63 - 1  #: number that databases take

_bearer = HTTPBearer(
    auto_error=False,
    description="A token from `crant up` or your administrator; where the service takes those, one of CAVE's",
)
_cookie = APIKeyCookie(name=COOKIE, auto_error=False, description="Set by the dashboard; good for reading only")


def get_services(request: Request) -> Services:
    """Return what the application was built with."""
    services: Services = request.app.state.services
    return services


ServicesDep = Annotated[Services, Depends(get_services)]


def get_bearer(
    request: Request,
    bearer: Annotated[HTTPAuthorizationCredentials | None, Security(_bearer)],
    cookie: Annotated[str | None, Security(_cookie)],
) -> str | None:
    """Return the token that came along, if any.

    The dashboard's cookie only reads: a browser sends cookies on its own, so no page elsewhere can change anything.
    """
    reading = request.method in ("GET", "HEAD")
    return bearer.credentials if bearer else cookie if reading else None


def get_identity(
    request: Request, services: ServicesDep, token: Annotated[str | None, Depends(get_bearer)]
) -> Identity:
    """Say who is calling."""
    if token is None:
        raise TokenMissing(hint="send the header 'Authorization: Bearer TOKEN'")
    return services.identify(token)


IdentityDep = Annotated[Identity, Depends(get_identity)]


def require(identity: Identity, scope: Scope) -> None:
    """Refuse a caller without this scope; administrators have every scope."""
    if not identity.scopes & {scope, Scope.ADMIN}:
        raise AccessDenied(f"this token does not allow to {scope}", hint=f"ask for a token with the scope {scope}")


def get_viewer(services: ServicesDep, identity: IdentityDep) -> Viewer:
    """Say what the caller may see."""
    return viewer_for_reading(services, identity)


def viewer_for_reading(services: Services, identity: Identity) -> Viewer:
    """Say what a caller may see: their own jobs, or everybody's where the whole lab reads."""
    require(identity, Scope.READ)
    return Viewer(owner=identity.owner, sees_all=services.settings.lab_read or Scope.ADMIN in identity.scopes)


def viewer_of(identity: Identity) -> Viewer:
    """Say what a caller may change."""
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
