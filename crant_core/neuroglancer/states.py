"""The state server, which keeps scenes under a number.

Tokens go only to servers that a dataset names: a link may come from anybody. Import this where it is used: it is heavy.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from caveclient.auth import AuthClient
from caveclient.jsonservice import JSONService

from crant_core.access import source_of
from crant_core.datasets import PRESETS, Dataset
from crant_core.errors import InvalidInput, SourceError, SourceTokenMissing
from crant_core.neuroglancer.scenes import Scene
from crant_core.registry import given_token
from crant_core.sources.failures import translated
from crant_core.sources.sessions import BoundedSession, bound

_AUTH = "middleauth+"
_BUCKET = "gs://"
_PUBLIC_BUCKET = "https://storage.googleapis.com/"
_SERVICE = "/nglstate"


class _States(JSONService):  # type: ignore[misc] # caveclient ships no types
    """caveclient's client of a state server; it asks for no version, which it would do before it is bounded."""

    def _get_version(self) -> None:
        return None


def shortened(scene: Scene, site: str, dataset: Dataset) -> str:
    """Leave a scene with the dataset's state server, through caveclient, and return a link to it there.

    Raises
    ------
    SourceTokenMissing
    SourceError
    """
    server = _state_server(dataset)
    token = source_of(dataset.model_copy(update={"server": server})).token()
    service = _States(server_address=server, auth_client=AuthClient(server_address=server, token=token))
    bound(service.session)
    try:
        with translated(server):
            number = service.upload_state_json(scene)
    except AttributeError as error:  # caveclient reads the number out of the answer, if there is one
        raise SourceError(f"{server} did not say where it keeps the scene", value=server) from error
    return str(service.build_neuroglancer_url(number, site, target_site="spelunker"))


def fetch(address: str, dataset: Dataset) -> Scene:
    """Fetch a scene from where a link says it is.

    Raises
    ------
    InvalidInput
        That is no address.
    SourceTokenMissing
        The link says that one must be signed in, and there is no token for that server.
    SourceError
    """
    url = address.removeprefix(_AUTH)
    if url.startswith(_BUCKET):
        url = _PUBLIC_BUCKET + url.removeprefix(_BUCKET)
    if urlsplit(url).scheme not in {"http", "https"} or not urlsplit(url).netloc:
        raise InvalidInput(f"{address!r} is no address of a scene", value=address, hint="give an https:// address")
    headers = _headers(_origin(url), dataset, needed=address.startswith(_AUTH))
    with translated(_origin(url)), BoundedSession() as session:
        response = session.get(url, headers=headers)
        response.raise_for_status()
        return _scene(response.json(), url)


def _scene(found: Any, url: str) -> Scene:
    if not isinstance(found, dict):
        raise SourceError(f"{url} is no scene, but {type(found).__name__}", value=url)
    return found


def _headers(origin: str, dataset: Dataset, *, needed: bool) -> dict[str, str]:
    token = given_token(origin)
    if token is None and origin in _trusted(dataset):
        try:
            token = source_of(dataset.model_copy(update={"server": origin})).token()
        except SourceTokenMissing:
            if needed:
                raise
    if token is None and needed:
        hint = "name the dataset whose server it is, or set a token for it in CRANT_CAVE_TOKENS"
        raise SourceTokenMissing(f"{origin} wants a token, and is no server of {dataset.name}", value=origin, hint=hint)
    return {} if token is None else {"Authorization": f"Bearer {token}"}


def _trusted(dataset: Dataset) -> set[str]:
    """Return the servers whose tokens may be looked for in caveclient's files, which do not say whose they are."""
    known = (*PRESETS, dataset)
    return {_origin(address) for one in known for address in (one.server, _state_server(one))}


def _state_server(dataset: Dataset) -> str:
    return (dataset.neuroglancer.states or dataset.server).rstrip("/").removesuffix(_SERVICE)


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"
