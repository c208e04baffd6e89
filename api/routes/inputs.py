"""Uploading lists of ids that are too long for a request's body."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException

from api.deps import IdentityDep, ServicesDep, ViewerDep, require
from api.idlists import MEDIA_TYPES, Format, read_ids
from api.services import Services
from crant_core.jobs.model import Scope
from crant_core.jobs.wire import InputView, Problem

router = APIRouter(prefix="/v1/inputs", tags=["jobs"], responses={"4XX": {"model": Problem}})

_KINDS = {media: {"schema": {"type": "string", "format": "binary"}} for media in MEDIA_TYPES}


@router.post("", status_code=201, openapi_extra={"requestBody": {"required": True, "content": _KINDS}})
async def upload_ids(
    request: Request,
    response: Response,
    services: ServicesDep,
    identity: IdentityDep,
    *,
    column: Annotated[str | None, Query(max_length=200, description="The ids' column; usually found by itself")] = None,
    form: Annotated[Format | None, Query(alias="format", description="Instead of the Content-Type")] = None,
) -> InputView:
    """Store a list of ids from CSV, NDJSON, Parquet or Arrow, to be named by jobs as `params.input`.

    The same list is the same input, so repeating an upload is harmless.
    """
    require(identity, Scope.SUBMIT)
    kind = form or _format_of(request)
    with tempfile.NamedTemporaryFile(prefix="crant-input-") as file:
        async for chunk in request.stream():
            file.write(chunk)
        file.flush()
        view = await run_in_threadpool(_stored, services, Path(file.name), kind, column)
    response.headers["Location"] = f"/v1/inputs/{view.id}"
    return view


def _format_of(request: Request) -> Format:
    media = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media not in MEDIA_TYPES:
        raise HTTPException(
            415, f"{media or 'a body without a type'} is not read; send one of {', '.join(MEDIA_TYPES)}"
        )
    return MEDIA_TYPES[media]


def _stored(services: Services, path: Path, form: Format, column: str | None) -> InputView:
    with services.uploads:
        data = read_ids(path, form, column=column, most=services.settings.upload_ids)
        return InputView(id=services.inputs.store(data), count=len(data) // 8)


@router.get("/{input_id}")
def describe_input(services: ServicesDep, viewer: ViewerDep, input_id: str) -> InputView:
    """Say how many ids an uploaded list has."""
    return InputView(id=input_id, count=services.inputs.count(input_id))
