"""Tables as Parquet files, written and read in parts."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from secrets import token_hex

import pyarrow as pa
import pyarrow.parquet as pq

from crant_core.caching.trimming import trim
from crant_core.errors import ExportBroken, InvalidInput, InvalidParameters

_ENDING = ".parquet"
_GROUP = 1 << 18  # rows that are compressed together
_AT_ONCE = 1 << 16


class ParquetCache:
    """Tables that are kept on this machine, up to a size; those not read for longest go.

    Parameters
    ----------
    folder : Path
        They are in its folder `exports`.
    most_bytes : int
    """

    def __init__(self, folder: Path, most_bytes: int) -> None:
        self.folder, self.most_bytes = folder.expanduser() / "exports", most_bytes

    def check(self, name: str, size: int) -> None:
        """Refuse a file that alone is more than may be kept; as Parquet it is about as large as compressed text.

        Raises
        ------
        InvalidParameters
        """
        if size > self.most_bytes:
            hint = "raise CRANT_CACHE_MEGABYTES (cache_megabytes=…), or keep it elsewhere with to_parquet(path)"
            raise InvalidParameters(f"{name} is larger than all that may be kept", value=size, hint=hint)

    def trim(self, new: Path) -> None:
        """Remove what was not read for longest, if all tables are more than may be kept; not the new one."""
        trim(self.folder.glob(f"*{_ENDING}*"), _ENDING, self.most_bytes, keep=new)


def write(path: Path, schema: pa.Schema, batches: Iterable[pa.RecordBatch]) -> int:
    """Write a file, whole or not at all; return its number of rows.

    Raises
    ------
    InvalidInput
        Its folder cannot be written, or it is a folder itself; before anything is read.
    """
    if path.is_dir():
        raise InvalidInput(f"{path} is a folder", value=str(path), hint="give the name of a file in it")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = path.with_name(f".{path.name}.{os.getpid()}-{token_hex(4)}")
        unfinished.touch()
    except OSError as error:
        raise InvalidInput(f"{path.parent} cannot be written: {error.strerror}", value=str(path.parent)) from error
    count = 0
    try:
        with pq.ParquetWriter(unfinished, schema, compression="zstd", write_page_checksum=True) as writer:
            for batch in _grouped(batches, schema):
                writer.write_table(batch)
                count += batch.num_rows
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)
    return count


def read(path: Path, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
    """Read columns of a file.

    Raises
    ------
    ExportBroken
        It is damaged; it is removed, so that the next attempt reads the table anew.
    """
    with suppress(OSError):  # a folder that may only be read serves as well
        os.utime(path)
    try:
        with pq.ParquetFile(path, page_checksum_verification=True) as file:
            for batch in file.iter_batches(_AT_ONCE, columns=list(columns)):
                yield batch.select(list(columns))
    except (pa.ArrowInvalid, OSError) as error:
        path.unlink(missing_ok=True)
        raise ExportBroken(f"{path} is damaged: {error}", value=str(path), hint="it was removed; try again") from error


def is_whole(path: Path) -> bool:
    """Say whether there is a file with an end, which is written last."""
    try:
        pq.read_metadata(path)
    except (pa.ArrowInvalid, OSError):
        return False
    return True


def _grouped(batches: Iterable[pa.RecordBatch], schema: pa.Schema) -> Iterator[pa.Table]:
    waiting: list[pa.RecordBatch] = []
    for batch in batches:
        waiting.append(batch)
        if sum(one.num_rows for one in waiting) >= _GROUP:
            yield pa.Table.from_batches(waiting, schema)
            waiting = []
    yield pa.Table.from_batches(waiting, schema)
