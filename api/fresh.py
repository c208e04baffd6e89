"""Answers that say which state they are of, so that who asks again is told when nothing changed."""

from __future__ import annotations

import hashlib

from fastapi import Request, Response
from pydantic import BaseModel


def unchanged(request: Request, etag: str) -> bool:
    """Say whether the caller has this state already."""
    asked = request.headers.get("if-none-match", "")
    known = {tag.strip().removeprefix("W/") for tag in asked.split(",")}
    return "*" in known or etag.removeprefix("W/") in known


def answer(request: Request, view: BaseModel) -> Response:
    """Answer with a view and its ETag, or 304 if the caller has it."""
    data = view.model_dump_json().encode()
    etag = f'W/"{hashlib.sha256(data).hexdigest()[:32]}"'
    headers = {"ETag": etag, "Cache-Control": "private, no-cache", "Vary": "Authorization, Cookie"}
    if unchanged(request, etag):
        return Response(status_code=304, headers=headers)
    return Response(data, media_type="application/json", headers=headers)


def file(request: Request, data: bytes, media_type: str, *, seconds: int = 0) -> Response:
    """Answer with bytes and their ETag, or 304; `seconds` is how long they may be kept without asking again."""
    etag = f'"{hashlib.sha256(data).hexdigest()}"'
    kept = f"private, max-age={seconds}" if seconds else "private, no-cache"
    headers = {"ETag": etag, "Cache-Control": kept, "X-Content-Type-Options": "nosniff"}
    if unchanged(request, etag):
        return Response(status_code=304, headers=headers)
    return Response(data, media_type=media_type, headers=headers)
