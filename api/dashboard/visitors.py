"""Who is at the browser, and whether a form may change anything."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated
from urllib.parse import urlsplit

from fastapi import Depends, Request

from api.deps import COOKIE, IdentityDep, ServicesDep, ViewerDep, require, viewer_of
from crant_core.errors import AccessDenied, TokenMissing
from crant_core.jobs.model import Scope
from crant_core.jobs.repository.jobs import Viewer
from crant_core.jobs.repository.tokens import Identity


@dataclass(frozen=True, kw_only=True)
class Visitor(Viewer):
    """Somebody who looks at pages."""

    may_change: bool = False  #: whether buttons are of any use to them


def refuse_other_sites(request: Request) -> None:
    """Refuse forms that another site sends: it could act in a person's name.

    The cookie is SameSite=Strict already. Browsers say where a form comes from in Sec-Fetch-Site, older ones in Origin.
    """
    site = request.headers.get("sec-fetch-site")
    origin = request.headers.get("origin")
    is_ours = site in ("same-origin", "none") if site else origin is None or _host(origin) == request.url.netloc
    if not is_ours:
        raise AccessDenied("this form was sent by another site", hint="use this site's own pages")


def _host(origin: str) -> str:
    return urlsplit(origin).netloc


def get_visitor(identity: IdentityDep, viewer: ViewerDep) -> Visitor:
    """Say who is looking."""
    may_change = bool(identity.scopes & {Scope.SUBMIT, Scope.ADMIN})
    return Visitor(owner=viewer.owner, sees_all=viewer.sees_all, may_change=may_change)


def get_changer(request: Request, services: ServicesDep) -> Identity:
    """Say who sends a form of ours. Here the cookie is good for more than reading, as no other site can send it."""
    refuse_other_sites(request)
    token = request.cookies.get(COOKIE)
    if token is None:
        raise TokenMissing(hint="sign in")
    identity = services.identify(token)
    require(identity, Scope.SUBMIT)
    return identity


def as_visitor(identity: Identity) -> Visitor:
    """Say who somebody is who may change things."""
    viewer = viewer_of(identity)
    return Visitor(owner=viewer.owner, sees_all=viewer.sees_all, may_change=True)


VisitorDep = Annotated[Visitor, Depends(get_visitor)]
ChangerDep = Annotated[Identity, Depends(get_changer)]
