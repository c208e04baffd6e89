"""Annotations in a file on this machine."""

from __future__ import annotations

from collections.abc import Hashable
from pathlib import Path
from typing import TYPE_CHECKING

from crant_core.annotations.cells import COLUMNS, IDS, typed
from crant_core.errors import InvalidInput, NotFound

if TYPE_CHECKING:
    import pandas as pd

    from crant_core.datasets import FileStore

_FLOAT_HINT = "floats lose digits of ids: write them as integers or as text, also where some are missing"
_PARQUET = ".parquet"
_SEPARATORS = {".csv": ",", ".tsv": "\t"}


class FileAnnotations:
    """A Parquet, CSV or TSV file with at least a column of root ids.

    Ids are integers or text, never floats, whatever their value. In text files, an empty cell is a missing one and no
    other word is; positions are `x, y, z`; `status` and `region` have commas or semicolons between names.

    Parameters
    ----------
    store : FileStore
        What the file's columns are called, unless they have the names of annotation fields; others are left out.
    """

    def __init__(self, store: FileStore) -> None:
        self._store = store
        self._path = Path(store.path).expanduser()

    @property
    def key(self) -> Hashable:
        """The file, and when it was written."""
        if not self._path.is_file():
            raise NotFound(f"there is no file {self._path}", value=str(self._path))
        state = self._path.stat()
        return self._store, str(self._path.resolve()), state.st_mtime_ns, state.st_size

    def table(self) -> pd.DataFrame:
        """Read the whole table.

        Raises
        ------
        NotFound
            There is no such file.
        InvalidInput
            It cannot be read, has no column of root ids, has floats for ids, or a cell that is nothing of its kind.
        """
        frame = self._read()
        names = dict(self._store.columns)
        sources = {name: names.get(name, name) for name in COLUMNS if names.get(name, name) in frame.columns}
        unknown = [name for name in names if name not in sources]
        if "root_id" not in sources or unknown:
            wanted = f"{unknown[0]} ({names[unknown[0]]})" if unknown else "root_id"
            hint = f"it has: {', '.join(map(str, frame.columns))}; `columns` says which column is which"
            raise InvalidInput(f"{self._path} has no column {wanted}", value=str(self._path), hint=hint)
        self._check_ids(frame, sources)
        raw = {name: frame[column].tolist() for name, column in sources.items()}
        return typed(raw, len(frame), str(self._path), strict=True)

    def _read(self) -> pd.DataFrame:
        import pandas as pd

        self.key  # noqa: B018 - raises if there is no file
        try:
            if self._path.suffix.lower() == _PARQUET:
                return pd.read_parquet(self._path)
            separator = _SEPARATORS[self._path.suffix.lower()]
            return pd.read_csv(self._path, sep=separator, dtype=str, keep_default_na=False, na_values=[""])
        except (OSError, ValueError) as error:  # pyarrow's and pandas' own are ValueErrors
            raise InvalidInput(f"{self._path} cannot be read: {error}", value=str(self._path)) from error

    def _check_ids(self, frame: pd.DataFrame, sources: dict[str, str]) -> None:
        for name in IDS:
            column = frame[sources[name]] if name in sources else None
            if column is not None and column.dtype.kind == "f" and column.notna().any():
                message = f"the column {sources[name]} of {self._path} holds floats"
                raise InvalidInput(message, value=sources[name], hint=_FLOAT_HINT)
