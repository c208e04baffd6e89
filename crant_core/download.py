"""Downloads that go on where they broke off, and are checked before they count."""

from __future__ import annotations

import hashlib
import time
from pathlib import Path

import httpx

from crant_core.answers import check, unreachable
from crant_core.errors import CrantError
from crant_core.jobs.wire import ArtifactView

RECONNECT_SECONDS = 1.0


def download(http: httpx.Client, address: str, artifact: ArtifactView, path: Path) -> None:
    """Write a file beside its place until it is whole; what an earlier try left is gone on from.

    Raises
    ------
    CrantError
        It arrived damaged; what was written of it is removed.
    ServiceUnreachable
        The connection breaks and nothing more arrives; what has arrived is kept for the next try.
    ServiceProblem
    """
    draft = path.with_name(f"{path.name}.{artifact.sha256[:12]}.part")
    _receive(http, address, artifact, draft)
    if sha256_of(draft) != artifact.sha256:
        draft.unlink()
        raise CrantError(f"{artifact.name} arrived damaged", value=artifact.name, hint="fetch again")
    draft.replace(path)


def sha256_of(path: Path) -> str:
    """Return a file's checksum in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _receive(http: httpx.Client, address: str, artifact: ArtifactView, draft: Path) -> None:
    """Append what is missing; a connection that breaks is made again, as long as something arrives."""
    while not (have := _size(draft)) or have < artifact.size:
        try:
            _stream_into(http, address, artifact, draft)
            return
        except httpx.TransportError as error:
            if _size(draft) <= have:
                raise unreachable(http, error) from error
            time.sleep(RECONNECT_SECONDS)


def _size(draft: Path) -> int:
    return draft.stat().st_size if draft.is_file() else 0


def _stream_into(http: httpx.Client, address: str, artifact: ArtifactView, draft: Path) -> None:
    headers = {"Accept-Encoding": "identity"}  # a part of a compressed file is none of the file
    if have := _size(draft):
        headers |= {"Range": f"bytes={have}-", "If-Range": f'"{artifact.sha256}"'}
    with http.stream("GET", address, headers=headers) as response:
        if response.is_error:
            response.read()
            check(response)
        goes_on = response.status_code == httpx.codes.PARTIAL_CONTENT
        with draft.open("ab" if goes_on else "wb") as file:
            for chunk in response.iter_bytes():  # as it comes: what has arrived is kept if the connection breaks
                file.write(chunk)
