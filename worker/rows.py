"""Rows of Parquet files on their way to SQL."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from io import BytesIO
from typing import Any

from crant_core.errors import Internal
from crant_core.jobs.repository.results import TABLES, ResultRows
from crant_core.kinds.base import File

_BATCH = 10_000


def rows_of(file: File, most: int) -> ResultRows:
    """Describe the rows of a file, of which no more than a batch is in memory when they are read."""
    from pyarrow.parquet import ParquetFile

    if file.table is None or file.table not in TABLES:
        raise Internal(f"{file.name} is meant for the table {file.table}, which does not exist")
    count = ParquetFile(BytesIO(file.data)).metadata.num_rows
    return ResultRows(table=file.table, file=file.name, count=count, most=most, batches=partial(_batches, file.data))


def _batches(data: bytes) -> Iterator[list[dict[str, Any]]]:
    from pyarrow.parquet import ParquetFile

    for batch in ParquetFile(BytesIO(data)).iter_batches(_BATCH):
        yield batch.to_pylist()
