"""Signing in and out: a token goes into a cookie that no script and no other site can use."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import urlsplit

from fastapi import APIRouter, Depends, Form, Query, Request
from fastapi.responses import RedirectResponse, Response

from api.dashboard.pages import PagesDep
from api.dashboard.visitors import refuse_other_sites
from api.deps import COOKIE, ServicesDep
from api.errors import problem_from
from crant_core.errors import AccessDenied, TokenInvalid

_MAX_TOKEN = 512  #: characters; ours have 49


router = APIRouter(include_in_schema=False)
_own_form = [Depends(refuse_other_sites)]


@router.get("/login")
def show_login(pages: PagesDep, next_: Annotated[str, Query(alias="next")] = "/") -> Response:
    """Ask for a token."""
    return pages.page("login.html", next=same_site_path(next_), problem=None)


@router.post("/login", dependencies=_own_form)
def sign_in(
    request: Request,
    services: ServicesDep,
    pages: PagesDep,
    token: Annotated[str, Form(max_length=_MAX_TOKEN)] = "",
    next_: Annotated[str, Form(alias="next")] = "/",
) -> Response:
    """Check the token and remember it."""
    target = same_site_path(next_)
    try:
        services.identify(token.strip())
    except (TokenInvalid, AccessDenied) as error:
        return pages.page("login.html", problem_from(error).status, next=target, problem=error)
    answer = RedirectResponse(target, 303)
    secure = request.url.scheme == "https"
    answer.set_cookie(COOKIE, token.strip(), path="/", httponly=True, samesite="strict", secure=secure)
    return answer


@router.post("/logout", dependencies=_own_form)
def sign_out() -> Response:
    """Forget the token."""
    answer = RedirectResponse("/login", 303)
    answer.delete_cookie(COOKIE, path="/", httponly=True, samesite="strict")
    return answer


def same_site_path(target: str) -> str:
    """Return the target if it is a path of this site, else the front page: a link must not lead people elsewhere."""
    is_path = target.startswith("/") and not target.startswith("//") and "\\" not in target and target.isprintable()
    return target if is_path and not urlsplit(target).netloc else "/"
