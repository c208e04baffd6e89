"""Static exports of frozen tables, as MaterializationEngine dumps them: a headerless csv.gz and a file of its columns.

They are files, written with the world, because readers list the folder.
"""

from __future__ import annotations

import gzip
from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from crant_core.sandbox import names
from crant_core.sandbox.objects.stored import Stored
from crant_core.sandbox.world.world import World

_SQL = {"i": "bigint", "u": "bigint", "f": "double precision", "b": "boolean", "M": "timestamp without time zone"}


def folder_of(world: World) -> Path:
    """Return the folder that holds `v{version}/{table}.csv.gz`."""
    return world.folder / "exports" / names.DATASTACK


def write(folder: Path, version: int, frames: Mapping[str, pd.DataFrame]) -> None:
    """Write all tables of one version."""
    target = folder / f"v{version}"
    target.mkdir(parents=True, exist_ok=True)
    for name, frame in frames.items():
        header = [f"{column},{_sql_type(frame[column])}" for column in frame.columns]
        (target / f"{name}_header.csv").write_text("\n".join(header) + "\n", encoding="utf-8")
        rows = _as_text(frame).to_csv(header=False, index=False, date_format="%Y-%m-%d %H:%M:%S.%f")
        (target / f"{name}.csv.gz").write_bytes(gzip.compress(rows.encode(), mtime=0))


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


def find(world: World, path: str) -> Stored | None:
    """Return one exported file."""
    root = (world.folder / "exports").resolve()
    full = (root / path).resolve()
    return Stored(full.read_bytes()) if full.is_relative_to(root) and full.is_file() else None
