"""Checks parameters by their kind's schema, and says what is wrong in this project's words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import ValidationError

from crant_core.errors import CrantError, InvalidParameters, TooManyIds
from crant_core.kinds.base import IdParameters, KindSpec
from crant_core.kinds.registry import get_kind

_HINT = "see /v1/kinds and /docs"


def checked(kind: KindSpec, params: Mapping[str, Any]) -> IdParameters:
    """Return parameters as the kind reads them.

    Raises
    ------
    InvalidInput
    """
    try:
        return kind.parameters.model_validate(params)
    except ValidationError as error:
        raise invalid_parameters(error, "params") from error


def checked_again(kind_name: str, given: Mapping[str, Any], ids: Sequence[int]) -> tuple[KindSpec, dict[str, Any]]:
    """Check what was stored a while ago by the kind as it is now.

    Parameters
    ----------
    kind_name : str
    given : mapping
        Parameters without the ids.
    ids : sequence of int
        The first ids of the list, which stand for all.

    Returns
    -------
    tuple of KindSpec and dict
        The kind, and its parameters as jobs store them.

    Raises
    ------
    InvalidInput
        There is no such kind any more, or it takes something else now.
    """
    kind = get_kind(kind_name)
    parameters = checked(kind, {**given, "ids": ids} if ids else given)
    return kind, parameters.model_dump(mode="json", exclude={"ids"})


def invalid_parameters(error: ValidationError, *prefix: str) -> CrantError:
    """Turn pydantic's complaints into our own error, keeping its most telling one's code, place and value."""
    complaints = error.errors(include_url=False)
    field = ".".join(str(part) for part in (*prefix, *complaints[0]["loc"]))
    found = _first(complaints, field)
    found.field = field or None
    return found


def _first(complaints: Sequence[Any], field: str) -> CrantError:
    first = complaints[0]
    cause = first.get("ctx", {}).get("error")
    if isinstance(cause, CrantError):
        return type(cause)(f"{field}: {cause.message}", value=cause.value, hint=cause.hint or _HINT)
    if first["type"] == "too_long" and first["loc"][-1] == "ids":
        hint = "upload the list with POST /v1/inputs, and name it as params.input"
        return TooManyIds(f"{field}: {first['msg']}", value=first["ctx"]["actual_length"], hint=hint)
    more = f" and {len(complaints) - 1} more" if len(complaints) > 1 else ""
    value = None if first["type"] == "missing" else first["input"]
    return InvalidParameters(f"{field}: {first['msg']}{more}", value=value, hint=_HINT)
