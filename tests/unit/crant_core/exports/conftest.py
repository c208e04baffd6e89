from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path

import pytest

from crant_core.exports import CloudFileViewExport, TableExportClient

HEADER = """id,bigint
pt_root_id,bigint
valid,boolean
pt_position_x,double precision
pt_position_y,double precision
pt_position_z,double precision
created,timestamp without time zone
note,character varying
"""
ROOT = 864691136812081621743 % 2**60 | 2**59  # floats lose its last digits
ROWS = f"""1,{ROOT},t,10,20,30,2025-01-06 10:00:00.250000,plain
2,,f,11,21,31,2025-01-06 10:00:00,"with, comma and
a new line"
3,{ROOT + 2},,12,22,32,2025-01-06 10:00:00,""
"""

Write = Callable[..., None]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write an export as MaterializationEngine does."""

    def one(name="cells", version=3, rows=ROWS, header=HEADER, ending=".csv.gz") -> None:
        folder = tmp_path / f"v{version}"
        folder.mkdir(exist_ok=True, parents=True)
        if header is not None:
            (folder / f"{name}_header.csv").write_text(header)
        if rows is not None:
            data = rows.encode() if isinstance(rows, str) else rows
            is_text = isinstance(rows, str) and ending.endswith(".gz")
            (folder / f"{name}{ending}").write_bytes(gzip.compress(data) if is_text else data)

    return one


@pytest.fixture
def client(tmp_path: Path) -> TableExportClient:
    return TableExportClient(
        f"file://{tmp_path}", voxel_resolution=(4, 4, 40), cache_folder=tmp_path.with_name(f"{tmp_path.name}-cache")
    )


@pytest.fixture
def export(write: Write, client: TableExportClient) -> CloudFileViewExport:
    write()
    return client.get_export("cells", 3)
