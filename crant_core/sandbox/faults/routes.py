"""The sandbox's own services for its operator: rules, profiles and the request log."""

from __future__ import annotations

from typing import Annotated, Any, cast

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, TypeAdapter, ValidationError
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from crant_core.sandbox.answers import not_found
from crant_core.sandbox.faults.controller import Controller
from crant_core.sandbox.faults.profiles import NAMES, profile
from crant_core.sandbox.faults.rules import Rule


def _known(name: str) -> str:
    if name not in NAMES:
        raise ValueError(f"there are {', '.join(NAMES)}")
    return name


class ProfileChoice(BaseModel):
    """Which profile, and how."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    name: Annotated[str, AfterValidator(_known)]
    seed: int = 0
    scale: Annotated[float, Field(gt=0)] = 1


class LogQuery(BaseModel):
    """Which part of the log."""

    model_config = ConfigDict(extra="forbid")

    path: str = ""
    since: int = 0


def _as_list(rules: Any) -> list[Any]:
    return rules if isinstance(rules, list) else [rules]


_RULES: TypeAdapter[list[Rule]] = TypeAdapter(Annotated[list[Rule], BeforeValidator(_as_list)])


async def add_faults(request: Request) -> JSONResponse:
    """Put one rule or a list of rules into force; all of them or, if one is wrong, none."""
    try:
        rules = _RULES.validate_json(await request.body())
    except ValidationError as error:
        return _invalid(error)
    return JSONResponse({"ids": _controller(request).add(rules)})


async def list_faults(request: Request) -> JSONResponse:
    """List the rules in force, with how many requests each has met and harmed."""
    return JSONResponse(_controller(request).as_json())


async def clear_faults(request: Request) -> JSONResponse:
    """Take all rules, and the profile, out of force."""
    _controller(request).clear()
    return JSONResponse({})


async def remove_fault(request: Request) -> JSONResponse:
    """Take one rule out of force."""
    number: int = request.path_params["id"]
    return JSONResponse({}) if _controller(request).remove(number) else not_found(f"no rule {number}")


async def choose_profile(request: Request) -> JSONResponse:
    """Replace everything in force by a profile."""
    try:
        choice = ProfileChoice.model_validate_json(await request.body())
    except ValidationError as error:
        return _invalid(error)
    ids = _controller(request).use(profile(choice.name, choice.seed, choice.scale))
    return JSONResponse({"ids": ids})


async def read_log(request: Request) -> JSONResponse:
    """Give the log: `path` and `since` narrow the entries, the counts are always of all requests."""
    try:
        query = LogQuery.model_validate(dict(request.query_params))
    except ValidationError as error:
        return _invalid(error)
    return JSONResponse(_controller(request).log.as_json(query.path, query.since))


async def clear_log(request: Request) -> JSONResponse:
    """Forget the log."""
    _controller(request).log.clear()
    return JSONResponse({})


def _controller(request: Request) -> Controller:
    return cast("Controller", request.app.state.sandbox.faults)


def _invalid(error: ValidationError) -> JSONResponse:
    wrong = error.errors(include_url=False, include_context=False, include_input=False)
    return JSONResponse({"error": "validation", "detail": wrong}, status_code=422)


ROUTES = [
    Route("/_sandbox/fault", add_faults, methods=["POST"]),
    Route("/_sandbox/fault", list_faults, methods=["GET"]),
    Route("/_sandbox/fault", clear_faults, methods=["DELETE"]),
    Route("/_sandbox/fault/{id:int}", remove_fault, methods=["DELETE"]),
    Route("/_sandbox/profile", choose_profile, methods=["POST"]),
    Route("/_sandbox/log", read_log, methods=["GET"]),
    Route("/_sandbox/log", clear_log, methods=["DELETE"]),
]
