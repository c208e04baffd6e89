"""Turns what people ask for into the body of a request; lists that are too long for one are uploaded first."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from pydantic import ValidationError

from crant_core.jobs.wire import JobRequest
from crant_core.kinds.base import MAX_INLINE_IDS
from crant_core.kinds.checking import invalid_parameters

INPUT = "input"  #: the parameter that names an uploaded list
NDJSON = "application/x-ndjson"


def body_of(
    kind: str,
    dataset: str,
    ids: Iterable[int | str],
    params: Mapping[str, Any],
    upload: Callable[[bytes], str],
    **chosen: Any,
) -> dict[str, Any]:
    """Write the body of a submission; `upload` takes a long list's lines and returns its name.

    Raises
    ------
    InvalidParameters
        Something chosen is of no use, such as a deadline without a time zone; before anything is asked.
    """
    request = _request(kind, dataset, params, chosen)
    given = [exact(value) for value in ids]
    named: dict[str, Any] = {"ids": given}
    if len(given) > MAX_INLINE_IDS:
        named = {INPUT: upload(lines_of(given))}
    elif INPUT in params and not given:
        named = {}
    request.params = {**params, **named}
    told = {"notify": list(chosen.get("notify", ()))}  # a model does not give the addresses away
    return request.model_dump(mode="json") | told


def _request(kind: str, dataset: str, params: Mapping[str, Any], chosen: Mapping[str, Any]) -> JobRequest:
    try:
        return JobRequest(kind=kind, dataset=dataset, params=dict(params), **chosen)
    except ValidationError as error:
        raise invalid_parameters(error) from error


def lines_of(ids: Iterable[object]) -> bytes:
    """Write ids as NDJSON."""
    return b"\n".join(json.dumps(exact(value)).encode() for value in ids)


def exact(value: object) -> object:
    """Write an id as a string, which keeps every digit; what is none is left for the service to refuse."""
    return value if isinstance(value, (float, bool)) else str(value)
