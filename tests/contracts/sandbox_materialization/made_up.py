"""A made-up state of the materialization service."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import requests
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from crant_core.sandbox import names
from crant_core.sandbox.answers import Refusal, base_url, refuse
from crant_core.sandbox.services import materialization
from crant_core.sandbox.state import State

API = f"/materialize/api/v3/datastack/{names.DATASTACK}"


async def _info(request: Request) -> JSONResponse:
    base = base_url(request)
    resolution = {f"viewer_resolution_{axis}": step for axis, step in zip("xyz", (4.0, 4.0, 40.0), strict=True)}
    volume = {"id": 1, "name": names.ALIGNED_VOLUME, "image_source": "", "description": "", "display_name": ""}
    tables = {"synapse_table": "synapses", "soma_table": "nuclei"}
    return JSONResponse(
        {
            "aligned_volume": volume,
            "segmentation_source": f"graphene://{base}/segmentation/table/{names.TABLE}",
            "local_server": base,
            "viewer_site": base,
            "description": "",
            **resolution,
            **tables,
        }
    )


def _schema(name: str, points: tuple[str, ...], loose: tuple[str, ...] = (), **plain: str) -> dict[str, object]:
    properties: dict[str, object] = {point: {"$ref": "#/definitions/BoundSpatialPoint"} for point in points}
    properties |= {point: {"$ref": "#/definitions/SpatialPoint"} for point in loose}
    properties |= {column: {"type": kind} for column, kind in plain.items()}
    return {"$ref": f"#/definitions/{name}", "definitions": {name: {"properties": properties}}}


SCHEMAS = {
    "synapse": _schema("synapse", ("pre_pt", "post_pt"), ("ctr_pt",), size="integer"),
    "nucleus_detection": _schema("nucleus_detection", ("pt",), volume="float"),
    "label": _schema("label", ("pt",), target_id="integer", tag="string", proofread="boolean"),
}


async def _schemas(request: Request) -> JSONResponse:
    return JSONResponse(SCHEMAS)


def _answering(value: object) -> Route:
    async def answer(request: Request) -> JSONResponse:
        return JSONResponse(value)

    return answer


def _app(state: State) -> Starlette:
    app = Starlette(
        routes=[
            Route("/info/version", _answering("4.3.3")),
            Route("/info/api/v2/datastack/full/{datastack}", _info),
            Route("/segmentation/api/versions", _answering([0, 1])),
            Route("/segmentation/api/version", _answering("2.21.1")),
            Route("/schema/versions", _answering([1, 2])),
            Route("/schema/api/v2/types_all", _schemas),
            *materialization.ROUTES,
        ],
        exception_handlers={Refusal: refuse},
    )
    app.router.redirect_slashes = False
    app.state.sandbox = state
    return app


@contextmanager
def refused(status: int, text: str | None = None) -> Iterator[None]:
    with pytest.raises(requests.HTTPError, match=text) as error:
        yield
    assert error.value.response.status_code == status
