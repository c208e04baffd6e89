"""What the shell offers when Tab is pressed. Silence is the answer where no service is near: a shell must not hang."""

from __future__ import annotations

from collections.abc import Iterable

import httpx

from crant_core.client import Crant
from crant_core.datasets import by_name
from crant_core.errors import CrantError
from crant_core.kinds.registry import all_kinds

_PATIENCE = 2.0  #: seconds


def kind(incomplete: str) -> list[tuple[str, str]]:
    """Offer kinds of jobs, with their titles."""
    return [(name, spec.title) for name, spec in all_kinds().items() if name.startswith(incomplete)]


def dataset(incomplete: str) -> list[str]:
    """Offer the service's datasets; without a service, the presets."""
    try:
        service = _service()
        names = [one.name for one in service.datasets()]
    except (CrantError, httpx.HTTPError):
        names = list(by_name(()))
    return _begin(names, incomplete)


def job(incomplete: str) -> list[tuple[str, str]]:
    """Offer the latest jobs, with what they are."""
    try:
        views = _service().jobs()
    except (CrantError, httpx.HTTPError):
        return []
    return [(v.id, f"{v.label or v.kind}, {v.state}") for v in views if v.id.startswith(incomplete)]


def schedule(incomplete: str) -> list[tuple[str, str]]:
    """Offer schedules, with what they are called."""
    try:
        views = [one.view for one in _service().schedules]
    except (CrantError, httpx.HTTPError):
        return []
    return [(v.id, f"{v.name}, {v.job.kind}") for v in views if v.id.startswith(incomplete)]


def _service() -> Crant:
    service = Crant()
    service.http.timeout = httpx.Timeout(_PATIENCE)
    return service


def _begin(names: Iterable[str], incomplete: str) -> list[str]:
    return [name for name in names if name.startswith(incomplete)]
