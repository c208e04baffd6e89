"""Names results by what they follow from, so that nothing is computed twice."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping

from crant_core.datasets import Dataset
from crant_core.kinds.base import KindSpec, Reuse
from crant_core.times import TimeBase


def addresses(
    kind: KindSpec, dataset: Dataset, parameters: Mapping[str, object], moment: TimeBase
) -> Callable[[str], str | None]:
    """Return what gives each key of a job the address of its result: a sha256, or None where results are not shared.

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
        return lambda key: None
    names = sorted(parameters) if kind.result_parameters is None else kind.result_parameters
    parts = {
        "kind": kind.name,
        "code": kind.code_version,
        "dataset": [dataset.name, dataset.datastack, dataset.server],
        "parameters": {name: parameters[name] for name in names if name in parameters},
        "time": moment.timestamp.isoformat() if kind.reuse is Reuse.SAME_TIME else None,
    }
    job = hashlib.sha256(json.dumps(parts, sort_keys=True).encode())

    def address(key: str) -> str:
        item = job.copy()
        item.update(key.encode())
        return item.hexdigest()

    return address
