"""Reads lists of ids from files that people upload, exactly, and with the memory of the ids alone.

Columnar files (Parquet, Arrow) come in batches whose ids are copied as bytes; text is read line by line. What is no id
is refused with the number of its row. Floats are refused whatever their value: they have lost digits already.
"""

from __future__ import annotations

import csv
import json
import re
from array import array
from collections.abc import Callable, Iterable, Iterator
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any

from crant_core.errors import InvalidId, InvalidInput, TooManyIds
from crant_core.ids import pack, parse_id

if TYPE_CHECKING:
    import pyarrow as pa


class Format(StrEnum):
    """What an uploaded file is."""

    CSV = "csv"
    NDJSON = "ndjson"
    PARQUET = "parquet"
    ARROW = "arrow"


MEDIA_TYPES = {
    "text/csv": Format.CSV,
    "text/plain": Format.CSV,
    "text/tab-separated-values": Format.CSV,
    "application/x-ndjson": Format.NDJSON,
    "application/jsonl": Format.NDJSON,
    "application/vnd.apache.parquet": Format.PARQUET,
    "application/vnd.apache.arrow.stream": Format.ARROW,
    "application/vnd.apache.arrow.file": Format.ARROW,
}
#: columns that are taken where none is named, the first of them that there is
NAMES = ("root_id", "pt_root_id", "id", "ids", "segment_id", "root")

_BATCH = 65_536
_LINE = 65_536  #: characters that a line of NDJSON may have
_DIGITS = "^[0-9]{1,19}$"
_PLAIN = re.compile(r'("?)([1-9][0-9]{0,18})\1[\r\n]*')  # a line of JSON that most files are made of
_WORD = re.compile(r"[^\W\d][\w .:-]*")  # what names a column; a number is an id, in capitals or not
_HINT = "ids are integers or decimal strings below 2**63, one in each row"


class Ids:
    """Ids that were read so far, packed; each method raises `TooManyIds` when they are."""

    def __init__(self, most: int) -> None:
        self.found, self.most = array("q"), most

    def add(self, value: Any) -> None:
        """Add one, whatever it is; raises `InvalidId` with its row."""
        try:
            self.found.append(parse_id(value))
        except InvalidId as error:
            raise InvalidId(f"row {len(self.found) + 1}: {error.message}", value=error.value, hint=_HINT) from error
        self._check()

    def extend(self, data: memoryview) -> None:
        """Add ids that are sound already, as int64."""
        self.found.frombytes(data)
        self._check()

    def _check(self) -> None:
        if len(self.found) > self.most:
            raise TooManyIds(f"there are more than {self.most:,} ids", value=len(self.found), hint="cut the file")


def read_ids(path: Path, form: Format, *, column: str | None, most: int) -> bytes:
    """Read a file's ids.

    Parameters
    ----------
    path : Path
    form : Format
    column : str or None
        The column, or the field of each JSON object, that has the ids; if left out, one of `NAMES`, or the first.
    most : int
        How many there may be.

    Returns
    -------
    bytes
        As `crant_core.ids.pack` writes them; duplicates and order are kept.

    Raises
    ------
    InvalidInput
        The file is not what it is said to be, has no such column, or no ids.
    InvalidId
    TooManyIds
    """
    ids = Ids(most)
    readers: dict[Format, Callable[[Path, str | None, Ids], None]] = {
        Format.CSV: _read_csv,
        Format.NDJSON: _read_ndjson,
        Format.PARQUET: _read_parquet,
        Format.ARROW: _read_arrow,
    }
    try:
        readers[form](path, column, ids)
    except (UnicodeDecodeError, csv.Error) as error:
        raise InvalidInput(f"the file is no {form}: {error}", hint="text is UTF-8") from error
    if not ids.found:
        raise InvalidInput("the file has no ids", hint=_HINT)
    return pack(ids.found)


def _read_csv(path: Path, column: str | None, ids: Ids) -> None:
    with path.open(encoding="utf-8-sig", newline="") as file:
        first = file.readline(_LINE)
        delimiter = next((mark for mark in "\t;" if mark in first), ",")
        file.seek(0)
        rows = (row for row in csv.reader(file, delimiter=delimiter) if any(cell.strip() for cell in row))
        at = 0
        for n, row in enumerate(rows):
            if n == 0 and (column is not None or _WORD.fullmatch(row[0].strip())):
                at = _position([name.strip() for name in row], column)
                continue
            ids.add(row[at].strip() if at < len(row) else "")


def _position(names: list[str], column: str | None) -> int:
    """Find the column of the ids among the names of a file's columns."""
    if column is not None and column not in names:
        shown = ", ".join(names[:20])
        raise InvalidInput(f"there is no column {column!r}", value=column, hint=f"the file has: {shown}")
    wanted = [column] if column is not None else [name for name in NAMES if name in names]
    return names.index(wanted[0]) if wanted else 0


def _read_ndjson(path: Path, column: str | None, ids: Ids) -> None:
    with path.open(encoding="utf-8-sig") as file:
        while line := file.readline(_LINE + 1):
            if line.strip():
                ids.add(_value(line, column, row=len(ids.found) + 1))


def _value(line: str, column: str | None, row: int) -> Any:
    if plain := _PLAIN.fullmatch(line):
        return plain[2]
    if len(line) > _LINE:
        raise InvalidInput(f"row {row} is longer than {_LINE} characters", value=line[:100])
    try:
        value = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise InvalidInput(f"row {row} is no JSON", value=line[:100], hint="one value or object in a line") from error
    if not isinstance(value, dict):
        return value
    names = list(value)
    return value[names[_position(names, column)]] if names else None


def _read_parquet(path: Path, column: str | None, ids: Ids) -> None:
    import pyarrow as pa
    from pyarrow.parquet import ParquetFile

    try:
        with ParquetFile(path) as file:
            name = file.schema_arrow.names[_position(_some(file.schema_arrow.names), column)]
            if file.metadata.num_rows > ids.most:
                raise TooManyIds(f"there are more than {ids.most:,} ids", value=file.metadata.num_rows)
            _add_all(ids, file.iter_batches(_BATCH, columns=[name], use_threads=False), 0)
    except (pa.ArrowException, OSError) as error:
        raise InvalidInput(f"the file is no Parquet that can be read: {error}"[:300]) from error


def _read_arrow(path: Path, column: str | None, ids: Ids) -> None:
    import pyarrow as pa
    from pyarrow import ipc

    try:
        with pa.memory_map(str(path)) as source:
            is_file = source.read(6) == b"ARROW1"
            source.seek(0)
            reader = ipc.open_file(source) if is_file else ipc.open_stream(source)
            at = _position(_some(reader.schema.names), column)
            batches = (reader.get_batch(n) for n in range(reader.num_record_batches)) if is_file else iter(reader)
            _add_all(ids, batches, at)
    except (pa.ArrowException, OSError) as error:
        raise InvalidInput(f"the file is no Arrow that can be read: {error}"[:300]) from error


def _some(names: list[str]) -> list[str]:
    if not names:
        raise InvalidInput("the file has no columns", hint=_HINT)
    return names


def _add_all(ids: Ids, batches: Iterable[pa.RecordBatch], at: int) -> None:
    for batch in batches:
        values = batch.column(at)
        exact = _as_int64(values)
        if exact is None:
            _add_each(ids, values)
        else:
            data = memoryview(exact.buffers()[1])[exact.offset * 8 : (exact.offset + len(exact)) * 8]
            ids.extend(data)


def _as_int64(values: pa.Array) -> pa.Array | None:
    """Return ids as int64 if all of them are sound; None says that they must be looked at one by one."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if pa.types.is_dictionary(values.type):
        values = values.dictionary_decode()
    text = pa.types.is_string(values.type) or pa.types.is_large_string(values.type)
    if not len(values) or values.null_count or not (text or pa.types.is_integer(values.type)):
        return None
    if text and not pc.all(pc.match_substring_regex(values, _DIGITS)).as_py():
        return None
    try:
        exact = values.cast(pa.int64())
    except pa.ArrowInvalid:
        return None
    return exact if pc.min(exact).as_py() > 0 else None


def _add_each(ids: Ids, values: Iterator[Any]) -> None:
    for value in values:
        ids.add(value.as_py())
