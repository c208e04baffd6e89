"""What happens to a job: as a list, or live as server-sent events."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import APIRouter, Header, Query, Request
from fastapi.responses import Response
from fastapi.sse import EventSourceResponse, format_sse_event
from pydantic import TypeAdapter
from starlette.concurrency import run_in_threadpool

from api.deps import LARGEST, JobDep, ServicesDep
from api.services import Services
from crant_core.jobs.model import JobState
from crant_core.jobs.tables import EventRow, JobRow
from crant_core.jobs.wire import EventView, Problem

router = APIRouter(prefix="/v1/jobs", tags=["jobs"], responses={"4XX": {"model": Problem}})

_PAUSE = 0.3  #: seconds between two looks at the events table
_SILENCE = 15.0  #: seconds after which proxies must hear something
_PAGE = TypeAdapter(list[EventView])
_NO_BUFFERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}


@router.get(
    "/{job_id}/events",
    responses={200: {"model": list[EventView], "content": {"text/event-stream": {}}}},
)
def list_events(
    request: Request,
    services: ServicesDep,
    job: JobDep,
    after: Annotated[int, Query(ge=0, le=LARGEST)] = 0,
    last_event_id: Annotated[int, Header(ge=0, le=LARGEST)] = 0,
) -> Response:
    """List events after a number; with `Accept: text/event-stream`, follow them until the job ends."""
    after = max(after, last_event_id)
    if "text/event-stream" in request.headers.get("accept", ""):
        return EventSourceResponse(_follow(services, job, after), headers=_NO_BUFFERS)
    rows = services.jobs.events(job.id, after=after)
    events = [EventView.model_validate(row) for row in rows]
    return Response(_PAGE.dump_json(events), media_type="application/json")


async def _follow(services: Services, job: JobRow, after: int) -> AsyncIterator[bytes]:
    """Send events as they are committed; the event that ends the job ends the stream."""
    over = JobState(job.state).ended
    spoke = time.monotonic()
    yield format_sse_event(retry=1000)
    while True:
        rows = await run_in_threadpool(services.jobs.events, job.id, after=after)
        for row in rows:
            after, spoke = row.id, time.monotonic()
            yield _encode(row)
        if rows and JobState(rows[-1].data["state"]).ended:  # an end before that was followed by a retry
            return
        if over and not rows:
            return
        if time.monotonic() - spoke > _SILENCE:
            spoke = time.monotonic()
            yield format_sse_event(comment="waiting")
        await asyncio.sleep(_PAUSE)


def _encode(row: EventRow) -> bytes:
    return format_sse_event(id=str(row.id), data_str=EventView.model_validate(row).model_dump_json())
