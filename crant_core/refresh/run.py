"""A run of a refresh as it is compared: neurons, what was measured of them, connections, failures, costs."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from io import BytesIO
from typing import Any

import pandas as pd

MEASURES = ("cable_length_um", "n_nodes", "n_branches", "n_ends", "n_pre", "n_post")
OF_SKELETONS, OF_SYNAPSES = MEASURES[:4], MEASURES[4:]
CONNECTIONS = pd.DataFrame(
    {
        "neuropil": pd.Series(dtype=object),
        "pre": pd.Series(dtype="int64"),
        "post": pd.Series(dtype="int64"),
        "weight": pd.Series(dtype="int64"),
    }
)
#: files of a run from which it is read back
NEURONS_FILE, CONNECTIONS_FILE, LINEAGE_FILE, RUN_FILE = (
    "neurons.parquet",
    "connections.parquet",
    "lineage.parquet",
    "run.json",
)


@dataclass(frozen=True, slots=True)
class Failure:
    """What could not be done: the step, the neuron (empty: the step as a whole), the error's code and message."""

    step: str
    key: str
    code: str
    message: str


@dataclass(frozen=True, slots=True)
class Cost:
    """What a step took: seconds of work, all processes together; requests and bytes; items, those that existed too."""

    seconds: float = 0.0
    requests: int = 0
    items: int = 0
    reused: int = 0
    failed: int = 0
    received: int = 0


@dataclass(frozen=True, eq=False, slots=True)
class Run:
    """One run.

    Attributes
    ----------
    about : mapping
        What it is: `job`, `label`, `timestamp` and so on, as JSON has it.
    neurons : DataFrame
        A row for each neuron, by `root_id` (int64); `MEASURES` in columns, float64, NaN where nothing was measured.
    connections : DataFrame
        `neuropil`, `pre`, `post` (int64), `weight` (int64, synapses).
    lineage : mapping of int to (int, float)
        What became of ids by this run's time, and the share of the old one in the new one.
    failures : list of Failure
    costs : mapping of str to Cost
        By step.
    """

    about: Mapping[str, Any]
    neurons: pd.DataFrame
    connections: pd.DataFrame = field(default_factory=CONNECTIONS.copy)
    lineage: Mapping[int, tuple[int, float]] = field(default_factory=dict)
    failures: Sequence[Failure] = ()
    costs: Mapping[str, Cost] = field(default_factory=dict)


def files(run: Run) -> dict[str, bytes]:
    """Write a run into files, by name."""
    said = {
        "format": {"name": "crant-refresh-run", "version": 1},
        "about": dict(run.about),
        "failures": [asdict(one) for one in run.failures],
        "costs": {name: asdict(cost) for name, cost in run.costs.items()},
    }
    return {
        RUN_FILE: json.dumps(said, indent=2).encode(),
        NEURONS_FILE: _parquet(run.neurons.reset_index()),
        CONNECTIONS_FILE: _parquet(run.connections),
        LINEAGE_FILE: _parquet(_lineage_table(run.lineage)),
    }


def read(load: Callable[[str], bytes]) -> Run:
    """Read a run back.

    Parameters
    ----------
    load : callable
        Returns a file by name; what it raises, as where there is no such file, comes through.
    """
    said = json.loads(load(RUN_FILE))
    lineage = pd.read_parquet(BytesIO(load(LINEAGE_FILE)))
    rows = zip(lineage.old_id.tolist(), lineage.new_id.tolist(), lineage.confidence.tolist(), strict=True)
    return Run(
        about=said["about"],
        neurons=pd.read_parquet(BytesIO(load(NEURONS_FILE))).set_index("root_id"),
        connections=pd.read_parquet(BytesIO(load(CONNECTIONS_FILE))),
        lineage={old: (new, share) for old, new, share in rows},
        failures=[Failure(**one) for one in said["failures"]],
        costs={name: Cost(**cost) for name, cost in said["costs"].items()},
    )


def _lineage_table(lineage: Mapping[int, tuple[int, float]]) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "old_id": pd.Series(list(lineage), dtype="int64"),
            "new_id": pd.Series([new for new, _ in lineage.values()], dtype="int64"),
            "confidence": pd.Series([share for _, share in lineage.values()], dtype="float64"),
        }
    )


def _parquet(table: pd.DataFrame) -> bytes:
    stream = BytesIO()
    table.to_parquet(stream, index=False, compression="zstd")
    return stream.getvalue()
