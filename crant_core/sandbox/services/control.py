"""The sandbox's own routes at `/_sandbox`: edits, versions, the clock, and what there is to try. No token needed."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from crant_core.ids import RootId
from crant_core.sandbox import edits, names
from crant_core.sandbox.answers import base_url
from crant_core.sandbox.graph.operations import EditRefused, Operation
from crant_core.sandbox.live import Sandbox, sandbox
from crant_core.sandbox.world.navis_data import BODY_IDS

Pair = tuple[RootId, RootId]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Merge(_Strict):
    """Join by supervoxels: existing edges, or new ones."""

    operation: Literal["merge"]
    pairs: list[Pair] = Field(min_length=1)


class Split(_Strict):
    """Part supervoxels by the fewest edges."""

    operation: Literal["split"]
    sources: list[RootId] = Field(min_length=1)
    sinks: list[RootId] = Field(min_length=1)


class Toggle(_Strict):
    """Cut a real neuron where its history once joined it, or join it again: an edit for people without ids at hand."""

    operation: Literal["toggle"]
    neuron: int = Field(ge=0, lt=len(BODY_IDS), description="Which of the real neurons")


class EditRequest(_Strict):
    """One edit."""

    edit: Annotated[Merge | Split | Toggle, Field(discriminator="operation")]


class ClockRequest(_Strict):
    """Where to set the clock, or by how much to advance it."""

    now: AwareDatetime | None = None
    advance_seconds: float | None = Field(None, ge=0)


class BucketRequest(_Strict):
    """How the bucket serves."""

    keep_alive: bool = Field(description="Whether it keeps connections open, as real buckets do")


async def _body(request: Request) -> Any:
    """Read a body; one that is no JSON is None, which no model takes."""
    try:
        return await request.json()
    except ValueError:
        return None


async def edit(request: Request) -> Response:
    """Apply one edit now; answers the operation's id, the old roots and the new."""
    asked = EditRequest.model_validate({"edit": await _body(request)}).edit
    operation = _apply(sandbox(request), asked)
    return JSONResponse(
        {
            "operation_id": operation.id,
            "timestamp": operation.timestamp.isoformat(),
            "old_roots": [str(root) for root in operation.old_roots],
            "new_roots": [str(root) for root in operation.new_roots],
        }
    )


def _apply(known: Sandbox, asked: Merge | Split | Toggle) -> Operation:
    if isinstance(asked, Toggle):
        return edits.toggle(known, asked.neuron)
    at = edits.next_moment(known)
    if isinstance(asked, Merge):
        return known.graph.merge(asked.pairs, at, edits.USER)
    return known.graph.split(asked.sources, asked.sinks, at, edits.USER)


async def materialize(request: Request) -> Response:
    """Freeze a new version now; supervoxels of newly posted annotations are looked up first."""
    version = edits.materialize(sandbox(request))
    return JSONResponse({"version": version.number, "timestamp": version.timestamp.isoformat()})


async def clock(request: Request) -> Response:
    """Read the clock, or set it."""
    known = sandbox(request).clock
    if request.method == "POST":
        asked = ClockRequest.model_validate(await _body(request))
        edits.set_clock(sandbox(request), asked.now, timedelta(seconds=asked.advance_seconds or 0))
    return JSONResponse({"now": known.now().isoformat()})


async def bucket(request: Request) -> Response:
    """Read how the bucket serves, or set it."""
    known = sandbox(request)
    if request.method == "POST":
        known.keep_alive = BucketRequest.model_validate(await _body(request)).keep_alive
    return JSONResponse({"keep_alive": known.keep_alive})


async def reset(request: Request) -> Response:
    """Make everything as it was at the start."""
    sandbox(request).reset()
    return JSONResponse({})


async def describe(request: Request) -> Response:
    """Say what there is: names, versions, the real neurons and their current roots, where files lie."""
    known = sandbox(request)
    base = base_url(request)
    return JSONResponse(
        {
            "datastack": names.DATASTACK,
            "server": base,
            "now": known.clock.now().isoformat(),
            "versions": [{"version": one.number, "timestamp": one.timestamp.isoformat()} for one in known.versions],
            "neurons": _neurons(known, known.clock.now()),
            "copies": _copies(known, known.clock.now()),
            "folder": str(known.world.folder),
            "exports": f"file://{known.world.folder}/exports/{names.DATASTACK}",
            "seatable": {"base": names.SEATABLE_BASE, "table": names.SEATABLE_TABLE, "server": base},
        }
    )


def _neurons(known: Sandbox, at: datetime) -> list[dict[str, Any]]:
    found = known.world.frame("truth/neurons")
    roots = known.graph.roots(found.supervoxel_id.to_numpy(), at)
    rows = zip(found.neuron.tolist(), found.body_id.tolist(), found.supervoxel_id.tolist(), roots.tolist(), strict=True)
    return [
        {"neuron": number, "body_id": body or None, "supervoxel_id": str(supervoxel), "root_id": str(root)}
        for number, body, supervoxel, root in rows
    ]


def _copies(known: Sandbox, at: datetime) -> list[dict[str, Any]]:
    """Describe what `--neurons` added; a copy's supervoxels are all in one root."""
    if known.crowd is None:
        return []
    first = known.crowd.places[known.crowd.starts[:-1]]
    roots = known.graph.roots(known.crowd.ids[first], at)
    return [
        {"copy": number, "of_neuron": number % len(known.crowd.templates), "root_id": str(root)}
        for number, root in enumerate(roots.tolist())
    ]


async def index(request: Request) -> Response:
    """List these routes."""
    return JSONResponse({route.path: sorted(route.methods or ()) for route in ROUTES})


async def invalid(request: Request, error: Exception) -> Response:
    """Answer what is wrong with a control request's body."""
    if not isinstance(error, ValidationError):
        raise error
    return JSONResponse({"error": error.errors(include_url=False, include_context=False)}, status_code=422)


async def refused(request: Request, error: Exception) -> Response:
    """Answer why the graph does not allow an edit."""
    if not isinstance(error, EditRefused):
        raise error
    return JSONResponse({"error": str(error)}, status_code=409)


ROUTES = [
    Route("/_sandbox/", index),
    Route("/_sandbox/edit", edit, methods=["POST"]),
    Route("/_sandbox/materialize", materialize, methods=["POST"]),
    Route("/_sandbox/clock", clock, methods=["GET", "POST"]),
    Route("/_sandbox/bucket", bucket, methods=["GET", "POST"]),
    Route("/_sandbox/reset", reset, methods=["POST"]),
    Route("/_sandbox/world", describe),
]
