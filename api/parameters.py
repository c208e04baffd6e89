"""A kind's parameters as they come in a request: with the ids, or with the name of an uploaded list of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from api.errors import about
from api.services import Services
from crant_core.errors import InvalidParameters, NotFound
from crant_core.jobs.repository.jobs import NewJob
from crant_core.kinds.base import MAX_INLINE_IDS, IdParameters, KindSpec
from crant_core.kinds.checking import checked

INPUT = "input"


def parameters_of(services: Services, kind: KindSpec, given: Mapping[str, Any]) -> tuple[IdParameters, str | None]:
    """Check parameters, and return them with the uploaded list that they name, if any.

    The ids of a list that is longer than a request's may be are not all there: the first stand for them.

    Raises
    ------
    InvalidInput
    """
    if INPUT not in given:
        return checked(kind, given), None
    if "ids" in given:
        raise InvalidParameters("params: there are both ids and input", value=given[INPUT], hint="give one of them")
    name = str(given[INPUT])
    with about(f"params.{INPUT}"):
        ids = _first_ids(services, name)
    rest = {field: value for field, value in given.items() if field != INPUT}
    return checked(kind, {**rest, "ids": ids}), name


def _first_ids(services: Services, name: str) -> list[int]:
    try:
        services.inputs.count(name)
    except NotFound as error:
        hint = "upload it with POST /v1/inputs"
        raise InvalidParameters(f"params.input: {error.message}", value=name, hint=hint) from error
    return services.inputs.ids(name, MAX_INLINE_IDS)


def with_all_ids(services: Services, new: NewJob) -> NewJob:
    """Return a submission with all its ids, for what must look at each."""
    return new if new.input_id is None else replace(new, ids=services.inputs.ids(new.input_id))
