"""Static exports of frozen tables, as MaterializationEngine dumps them: a headerless csv.gz and a file of its columns.

They are files, written with the world, because readers list the folder.
"""

from __future__ import annotations

import gzip
from pathlib import Path

import pandas as pd

from crant_core.sandbox import names
from crant_core.sandbox.graph.chunkedgraph import ChunkedGraph
from crant_core.sandbox.tables.frozen import freeze
from crant_core.sandbox.world.catalog import read_tables
from crant_core.sandbox.world.history import VERSIONS
from crant_core.sandbox.world.world import World

FOLDER = "exports"  #: within a world's folder; holds `{datastack}/v{version}/{table}.csv.gz`
_SQL = {"i": "bigint", "u": "bigint", "f": "double precision", "b": "boolean", "M": "timestamp without time zone"}


def save_exports(folder: Path, graph: ChunkedGraph) -> None:
    """Write every table of a world as every version froze it."""
    tables = read_tables(World(folder))
    for version in VERSIONS:
        target = folder / FOLDER / names.DATASTACK / f"v{version.number}"
        target.mkdir(parents=True)
        for name, table in tables.items():
            write(target, name, freeze(graph, table, version.timestamp).frame())


def write(folder: Path, name: str, frame: pd.DataFrame) -> None:
    """Write one table: what its columns are, then its rows."""
    header = [f"{column},{_sql_type(frame[column])}" for column in frame.columns]
    (folder / f"{name}_header.csv").write_text("\n".join(header) + "\n", encoding="utf-8")
    rows = _as_text(frame).to_csv(header=False, index=False, date_format="%Y-%m-%d %H:%M:%S.%f")
    (folder / f"{name}.csv.gz").write_bytes(gzip.compress(rows.encode(), mtime=0))


def _sql_type(column: pd.Series) -> str:
    return _SQL.get(column.dtype.kind, "character varying")


def _as_text(frame: pd.DataFrame) -> pd.DataFrame:
    """Write booleans as PostgreSQL does, t and f, and times without their zone."""
    plain = frame.copy()
    for name, column in frame.items():
        if column.dtype.kind == "b":
            plain[name] = column.map({True: "t", False: "f"})
        elif column.dtype.kind == "M":
            plain[name] = column.dt.tz_localize(None)
    return plain
