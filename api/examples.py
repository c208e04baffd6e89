"""Requests that work, one for every kind, for the documentation at /docs."""

from __future__ import annotations

from typing import Any

from fastapi.openapi.models import Example

from crant_core.kinds.registry import all_kinds

_LIST = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"  # looks like the name of an uploaded list


def examples() -> dict[str, Example]:
    """Return the body of a submission for every kind, and one that names an uploaded list."""
    found = {
        kind.name: Example(summary=kind.title, value=_body(kind.name, kind.example)) for kind in all_kinds().values()
    }
    uploaded = _body("skeletonize", {"input": _LIST}) | {"label": "the whole lobe"}
    return {**found, "uploaded": Example(summary="Neurons of an uploaded list", value=uploaded)}


def schedules() -> dict[str, Example]:
    """Return bodies of schedules: by the clock on the wall, and at an interval."""
    kind = all_kinds()["skeletonize"]
    job = _body(kind.name, kind.example)
    nightly = {"name": "projection neurons", "job": job, "cron": "0 2 * * *", "zone": "America/New_York"}
    hourly = {"name": "every six hours", "job": job, "every_seconds": 21_600, "overlap": "queue", "catch_up": "none"}
    return {
        "nightly": Example(summary="Every night at two", value=nightly),
        "interval": Example(summary="Every six hours", value=hourly),
    }


def _body(kind: str, params: dict[str, Any]) -> dict[str, Any]:
    return {"kind": kind, "dataset": "demo", "params": params, "at": "mat"}
