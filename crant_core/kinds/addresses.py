"""Names results by what they follow from, so that nothing is computed twice."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import datetime
from functools import cache
from typing import Any, Protocol

from crant_core.datasets import Dataset
from crant_core.kinds.base import KindSpec, Reuse
from crant_core.times import TimeBase


class Address(Protocol):
    """Gives each key of a job the address of its result."""

    def __call__(self, key: str, basis: str = "", since: datetime | None = None) -> str | None:
        """Return a sha256, or None where results are not shared; see `PlannedItem.basis` and `Feed.since`."""


def addresses(kind: KindSpec, dataset: Dataset, parameters: Mapping[str, object], moment: TimeBase) -> Address:
    """Return what gives each key of a job the address of its result.

    Parameters
    ----------
    kind : KindSpec
        Its name, code version, and what its results depend on.
    dataset : Dataset
    parameters : mapping
        The job's, without its input; one that is not there, as in jobs of an older release, does not count.
    moment : TimeBase
        Its one point in time, which counts if the kind says so.
    """
    if kind.reuse is Reuse.NEVER:
        return lambda key, basis="", since=None: None
    names = sorted(parameters) if kind.result_parameters is None else kind.result_parameters
    parts = {
        "kind": kind.name,
        "code": kind.code_version,
        "dataset": [dataset.name, dataset.datastack, dataset.server],
        "parameters": {name: parameters[name] for name in names if name in parameters},
    }

    @cache
    def of_job(time: datetime | None) -> Any:
        at = {"time": time.isoformat() if time is not None and kind.reuse is Reuse.SAME_TIME else None}
        return hashlib.sha256(json.dumps(parts | at, sort_keys=True).encode())

    def address(key: str, basis: str = "", since: datetime | None = None) -> str:
        item = of_job(since or moment.timestamp).copy()
        item.update(f"{key} {basis}".encode() if basis else key.encode())
        found: str = item.hexdigest()
        return found

    return address
