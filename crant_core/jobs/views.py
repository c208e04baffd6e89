"""Views that people query: rows of results as they mean them, read from what items say about themselves.

They are made anew with every migration, for SQLite cannot change a table that a view reads. So a change here needs a
migration, which may be empty.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from sqlalchemy import Connection, text

_NEURONS = (
    "adjacency",
    "attach_synapses",
    "connectivity",
    "l2_skeletons",
    "meshes",
    "neuropil_matrices",
    "skeletonize",
    "synapse_counts",
    "synapses",
)
_UPDATES = ("update_ids",)
_COMMON = ("jobs.id AS job_id", "jobs.kind", "jobs.dataset", 'jobs."timestamp"', "jobs.version")
_INTEGER, _REAL, _TRUTH = "BIGINT", "DOUBLE PRECISION", "BOOLEAN"
#: work of each queue that could be done at once if there were workers: what scales them
_LOAD = """
SELECT queue, SUM(units) AS units FROM (
  SELECT COALESCE(units.queue, jobs.queue) AS queue, COUNT(*) AS units FROM units JOIN jobs ON jobs.id = units.job_id
  WHERE units.state IN ('queued', 'running') AND jobs.state IN ('planning', 'running', 'finishing')
    AND (units.not_before IS NULL OR units.not_before <= CURRENT_TIMESTAMP)
  GROUP BY 1
  UNION ALL
  SELECT jobs.queue, SUM((jobs.uncut + jobs.largest_size - 1) / jobs.largest_size) AS units FROM jobs
  WHERE jobs.state = 'running' AND jobs.uncut > 0
  GROUP BY 1
) AS found GROUP BY queue
"""
Read = Callable[[str, str], str]  #: SQL that reads a metric of an item, as a type


def create(connection: Connection) -> None:
    """Make all views."""
    read = {"sqlite": _in_sqlite, "postgresql": _in_postgresql}[connection.dialect.name]
    for name, kinds, columns in (
        ("neuron_summaries", _NEURONS, _of_neurons(read)),
        ("id_updates", _UPDATES, _of_updates(read)),
    ):
        connection.execute(text(f"CREATE VIEW {name} AS {_select(kinds, columns)}"))
    connection.execute(text(f"CREATE VIEW queue_load AS {_LOAD}"))


def drop(connection: Connection) -> None:
    """Remove all views, if there are any."""
    for name in ("neuron_summaries", "id_updates", "queue_load"):
        connection.execute(text(f"DROP VIEW IF EXISTS {name}"))


def _select(kinds: Sequence[str], columns: Mapping[str, str]) -> str:
    """Write a view of succeeded items.

    Each column asks for the kind again: PostgreSQL may look at columns of all items before it knows what they are of,
    and fails if the key of another kind's item is no number.
    """
    named = ", ".join(f"'{kind}'" for kind in kinds)
    own = [f"CASE WHEN jobs.kind IN ({named}) THEN {read} END AS {name}" for name, read in columns.items()]
    joined = "items JOIN jobs ON jobs.id = items.job_id"
    where = f"jobs.kind IN ({named}) AND items.state = 'succeeded'"
    return f"SELECT {', '.join([*_COMMON, *own])} FROM {joined} WHERE {where}"  # noqa: S608 - nothing is from outside


def _in_sqlite(name: str, kind: str) -> str:
    found = f"json_extract(items.metrics, '$.{name}')"
    return found if kind == _TRUTH else f"CAST({found} AS {'INTEGER' if kind == _INTEGER else 'REAL'})"


def _in_postgresql(name: str, kind: str) -> str:
    return f"CAST(items.metrics ->> '{name}' AS {kind})"


def _of_neurons(read: Read) -> dict[str, str]:
    def first(*names: str) -> str:
        return f"COALESCE({', '.join(read(name, _INTEGER) for name in names)})"

    return {
        "root_id": "CAST(items.key AS BIGINT)",
        "cable_length_um": read("cable_length_um", _REAL),
        "n_nodes": read("n_nodes", _INTEGER),
        "n_branches": read("n_branches", _INTEGER),
        "n_ends": read("n_ends", _INTEGER),
        "radius_nm": read("radius_nm", _REAL),
        "has_soma": f"{read('soma_radius_nm', _REAL)} > 0",
        "soma_radius_nm": f"NULLIF({read('soma_radius_nm', _REAL)}, 0)",
        "synapses_out": first("n_pre", "n_synapses_out", "synapses_out", "n_synapses"),
        "synapses_in": first("n_post", "n_synapses_in", "synapses_in"),
    }


def _of_updates(read: Read) -> dict[str, str]:
    return {
        "old_id": "CAST(items.key AS BIGINT)",
        "new_id": read("new_id", _INTEGER),
        "confidence": read("confidence", _REAL),
        "changed": read("changed", _TRUTH),
    }
