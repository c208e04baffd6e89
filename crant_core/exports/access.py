"""What a store of files is shown, and what it refuses, in this project's words."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import botocore.exceptions  # type: ignore[import-untyped]
import google.api_core.exceptions
import google.auth.exceptions
from cloudfiles import paths, secrets
from cloudfiles.exceptions import AuthorizationError

from crant_core.errors import InvalidInput, SourceError, SourceUnavailable
from crant_core.sources.failures import translated

ANONYMOUS: dict[str, Any] = {"use_https": True, "secrets": {"anonymous": True}}  #: cloud-files asks buckets over https

_HINT = "gs://…, s3://…, https://…, file://… or a path"
_UNREACHED = (
    botocore.exceptions.ConnectionError,
    botocore.exceptions.HTTPClientError,
    google.api_core.exceptions.ServerError,
    google.auth.exceptions.TransportError,
)
_REFUSED = (
    AuthorizationError,
    botocore.exceptions.BotoCoreError,
    botocore.exceptions.ClientError,
    google.api_core.exceptions.GoogleAPIError,
    google.auth.exceptions.GoogleAuthError,
)


def checked(address: Any) -> str:
    """Return an address without slashes at its end.

    Raises
    ------
    InvalidInput
        It is none, or of a kind that cannot be read.
    """
    text = os.fspath(address) if isinstance(address, str | os.PathLike) else None
    if not isinstance(text, str) or not text.strip():
        raise InvalidInput(f"{address!r} is no place of exports", value=repr(address), hint=_HINT)
    scheme, found, _ = text.partition("://")
    if found and scheme not in paths.ALLOWED_PROTOCOLS:
        raise InvalidInput(f"files at {scheme}:// cannot be read", value=text, hint=_HINT)
    return text.rstrip("/") or text


@contextmanager
def asking(address: str) -> Iterator[None]:
    """Raise what stores and their clients raise as errors of this project.

    Raises
    ------
    SourceUnavailable
    SourceError
    """
    try:
        with translated(address):
            yield
    except _UNREACHED as error:
        raise SourceUnavailable(f"{address} did not answer: {error}") from error
    except _REFUSED as error:
        hint = "credentials for it are missing, or not enough, or there is no such bucket"
        raise SourceError(f"{address} cannot be read: {error}", value=address, hint=hint) from error


@cache
def has_credentials(address: str) -> bool:
    """Say whether this machine has anything to show a bucket: without, public buckets are asked as everybody is.

    Source: files, environment, and the metadata service of a cloud's machine, as the stores' own clients look for them.
    """
    parts = urlsplit(address)
    if parts.scheme == "gs":
        names = (f"{parts.netloc}-google-secret.json", "google-secret.json")
        return any(Path(secrets.secretpath(name)).exists() for name in names) or _google_finds_some()
    if parts.scheme == "s3" and not parts.netloc.endswith(":"):  # s3://https://… is a store of one's own
        import boto3  # type: ignore[import-untyped]

        return bool(secrets.aws_credentials(parts.netloc)) or boto3.Session().get_credentials() is not None
    return True


def _google_finds_some() -> bool:
    import google.auth

    try:
        google.auth.default()
    except google.auth.exceptions.GoogleAuthError:
        return False
    return True
