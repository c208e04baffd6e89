"""Renders templates into HTML answers that browsers treat with care."""

from __future__ import annotations

import hashlib
from base64 import b64encode
from functools import cache
from pathlib import Path
from typing import Annotated, Any

from fastapi import Depends, Request
from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from api.dashboard import words

_HERE = Path(__file__).parent
STATIC = _HERE / "static"

_FILTERS = ("ago", "exact", "clock", "local", "duration", "rate", "size", "value", "heading", "query", "drawings")
_HEADERS = {
    "Cache-Control": "no-store",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
_PAGE_POLICY = (
    "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; form-action 'self'; "
    "frame-ancestors 'none'"
)


class Pages:
    """The templates, with the style sheet at hand for documents that must stand alone."""

    def __init__(self) -> None:
        self._templates = Environment(
            loader=FileSystemLoader(_HERE / "templates"),
            autoescape=True,
            undefined=StrictUndefined,  # a misspelt name is an error in a test, not a hole in a page
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._templates.filters |= {name: getattr(words, name) for name in _FILTERS}
        self._templates.globals["asset"] = _asset
        self._css = (STATIC / "dashboard.css").read_text(encoding="utf-8")

    def page(self, template: str, status: int = 200, **context: Any) -> HTMLResponse:
        """Render a page of the dashboard."""
        html = self._templates.get_template(template).render(context)
        return HTMLResponse(html, status, headers=_HEADERS | {"Content-Security-Policy": _PAGE_POLICY})

    def document(self, template: str, filename: str, **context: Any) -> HTMLResponse:
        """Render one self-contained document: the style sheet is inside, and no script runs in it."""
        policy = _document_policy(self._css)
        css = Markup(self._css)  # noqa: S704 - our own file
        html = self._templates.get_template(template).render(context, css=css, policy=policy)
        headers = {
            "Content-Security-Policy": f"{policy}; frame-ancestors 'none'",
            "Content-Disposition": f'inline; filename="{filename}"',
        }
        return HTMLResponse(html, headers=_HEADERS | headers)


def get_pages(request: Request) -> Pages:
    """Return the templates the application was built with."""
    pages: Pages = request.app.state.pages
    return pages


PagesDep = Annotated[Pages, Depends(get_pages)]


def _document_policy(css: str) -> str:
    """Allow this one style sheet and inline pictures; it stands in the document too, as a saved file has no headers."""
    digest = b64encode(hashlib.sha256(css.encode()).digest()).decode()
    return f"default-src 'none'; img-src data:; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"


@cache
def _asset(name: str) -> str:
    """Address a static file by its content, so that a browser never mixes two releases."""
    digest = hashlib.sha256((STATIC / name).read_bytes()).hexdigest()
    return f"/static/{name}?{digest[:8]}"
