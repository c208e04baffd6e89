"""Sites that show folders as pages of links, as Apache, nginx and Python do; what cloud-files needs lxml for."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html.parser import HTMLParser
from http import HTTPStatus
from urllib.parse import unquote, urljoin, urlsplit

from requests import Session

from crant_core.errors import InvalidInput
from crant_core.sources.sessions import BoundedSession

_FOLDER = re.compile(r"v\d+/")
_HINT = "name the table and the version: get_table(name, version) lists nothing"


def names_below(address: str) -> Iterator[str]:
    """List the files in a site's folders of versions, by what its pages link to.

    Source: the page of the folder, and that of each version.

    Raises
    ------
    InvalidInput
        The site shows no such pages.
    requests.RequestException
    """
    with BoundedSession() as session:
        for name in _links(session, f"{address}/"):
            if _FOLDER.fullmatch(name):
                yield from (f"{name}{file}" for file in _links(session, f"{address}/{name}") if "/" not in file)


def _links(session: Session, page: str) -> list[str]:
    """Return what is linked to below a page, relative to it."""
    answer = session.get(page)
    is_page = answer.headers.get("Content-Type", "").startswith("text/html")
    if answer.status_code in {HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND, HTTPStatus.METHOD_NOT_ALLOWED} or not is_page:
        raise InvalidInput(f"{page} cannot list its files", value=page, hint=_HINT)
    answer.raise_for_status()
    found = _Links(page)
    found.feed(answer.text)
    return list(dict.fromkeys(found.names))


class _Links(HTMLParser):
    def __init__(self, page: str) -> None:
        super().__init__()
        self._page, self.names = page, list[str]()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        href = dict(attrs).get("href") if tag == "a" else None
        target = urljoin(self._page, href or "..")
        if target.startswith(self._page) and not urlsplit(target).query:
            self.names.append(unquote(target.removeprefix(self._page)))
