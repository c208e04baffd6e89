"""All exports below one address."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import partial
from operator import index
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

from crant_core.errors import ExportNotFound, InvalidParameters
from crant_core.exports.export import _NM, CloudFileViewExport, Unit
from crant_core.exports.filtering import Filter
from crant_core.exports.folder import Folder
from crant_core.exports.parquet import ParquetCache

if TYPE_CHECKING:
    import pandas as pd

_DATA = re.compile(r"v(?P<version>\d+)/(?P<name>[^/]+?)(?P<ending>\.csv\.gz|(?<!_header)\.csv)$")
_HEADER = re.compile(r"v(?P<version>\d+)/(?P<name>[^/]+)_header\.csv$")
_ENDINGS = (".csv.gz", ".csv")


class TableExportClient:
    """Finds the tables that were exported to one place; nothing is asked before it is needed.

    Parameters
    ----------
    cloudpath : str
        `gs://…`, `s3://…`, `https://…`, `file://…` or a path, up to the folders of the versions, such as
        `gs://mat_dbs/public/minnie65_phase3_v1`.
    voxel_resolution : (3,) sequence of float, or callable, optional
        What positions in the files count, nm; or what tells it of a table by its name, when that is first needed.
        Without it, positions are in voxels, and `UnknownUnitWarning` says so.
    cache_folder : path, optional
        Where `CloudFileViewExport.to_cache` keeps tables.
    cache_megabytes : int
        How much of them; those not read for longest go first.
    anonymous : bool
        Show the store no credentials of this machine's; public buckets are asked so too where it has none.
    public : bool
        For a `cloudpath` that somebody else chose: anonymous, and only the public internet is asked. It cannot list.

    Raises
    ------
    InvalidInput
        `cloudpath` is no address.
    """

    def __init__(
        self,
        cloudpath: str | PathLike[str],
        *,
        voxel_resolution: Unit | Callable[[str], Unit] = None,
        cache_folder: str | Path | None = None,
        cache_megabytes: int = 1024,
        anonymous: bool = False,
        public: bool = False,
    ) -> None:
        self._folder = Folder(cloudpath, anonymous=anonymous, public=public)
        self.cloudpath = self._folder.address
        self._voxels = voxel_resolution
        self._cache = None if cache_folder is None else ParquetCache(Path(cache_folder), cache_megabytes << 20)
        self._listed: list[tuple[str, int | None]] | None = None

    def __repr__(self) -> str:
        return f"TableExportClient({self.cloudpath!r})"

    @property
    def available_files(self) -> list[CloudFileViewExport]:
        """All exports that have data, by name and version; the folder is listed once.

        Files in other places than `v<version>/<table>.csv.gz` are none.

        Raises
        ------
        InvalidInput
            The site cannot list its files.
        SourceError
        """
        found: dict[tuple[str, int], CloudFileViewExport] = {}
        for path, size in self._files():
            match = _DATA.fullmatch(path)
            if match:
                name, version = match["name"], int(match["version"])
                if (name, version) not in found or match["ending"] == _ENDINGS[0]:
                    found[name, version] = self._export(name, version, path.split("/")[0], size, match["ending"])
        return [found[key] for key in sorted(found)]

    @property
    def available_tables(self) -> list[str]:
        """Names of all tables, sorted."""
        return sorted({export.name for export in self.available_files})

    @property
    def pending(self) -> list[tuple[str, int]]:
        """Names and versions of tables whose header is there, and whose data is not yet."""
        headers = [match for path, _ in self._files() if (match := _HEADER.fullmatch(path))]
        there = {(export.name, export.version) for export in self.available_files}
        return sorted({(match["name"], int(match["version"])) for match in headers} - there)

    def available_versions(self, table_name: str) -> list[int]:
        """Return the versions of a table, sorted.

        Raises
        ------
        ExportNotFound
            It is a ValueError too.
        """
        found = [export.version for export in self.available_files if export.name == table_name]
        if not found:
            hint = f"known: {', '.join(self.available_tables) or 'none'}"
            raise ExportNotFound(f"no export is called {table_name!r}", value=table_name, hint=hint)
        return sorted(found)

    def available_data_df(self) -> pd.DataFrame:
        """Return a table of all exports: `name`, `version` and `size` (bytes, Int64; missing where it is not said)."""
        import pandas as pd

        files = self.available_files
        sizes = pd.array([export.size for export in files], dtype="Int64")
        names = pd.Series([export.name for export in files], dtype="object")
        versions = pd.Series([export.version for export in files], dtype="int64")
        return pd.DataFrame({"name": names, "version": versions, "size": sizes})

    def get_export(self, table_name: str, version: int) -> CloudFileViewExport:
        """Find a table of a version. Nothing is listed: there are two requests or three.

        Raises
        ------
        ExportPending
            There is a header file, but no data yet.
        ExportNotFound
            It is a ValueError too.
        InvalidParameters
            That is no name of a table, or no version.
        SourceError
        """
        from crant_core.errors import ExportPending

        number = _number(version)
        if not isinstance(table_name, str) or not table_name or set(table_name) & set("/\\"):
            raise InvalidParameters(f"{table_name!r} is no name of a table", value=repr(table_name))
        for ending in _ENDINGS:
            export = self._export(table_name, number, f"v{number}", None, ending)
            export.size = self._folder.size(export.datapath)
            if export.size is not None:
                return export
        if self._folder.size(export.headerpath) is not None:
            hint = "the export was asked for; its data comes later, so try again"
            raise ExportPending(f"{table_name} of version {version} has no data yet", value=table_name, hint=hint)
        message = f"{self.cloudpath} has no {table_name!r} of version {number}"
        hint = "available_data_df() lists what there is; stores hide what they do not show to everybody"
        raise ExportNotFound(message, value=table_name, hint=hint)

    def get_table(
        self,
        table_name: str,
        version: int,
        *,
        columns: Sequence[str] | None = None,
        filter: Filter = None,  # noqa: A002 - the name that such arguments have
        resolution: Unit = _NM,
    ) -> pd.DataFrame:
        """Read a table of a version; see `CloudFileViewExport.get_dataframe`.

        Raises
        ------
        ExportPending, ExportNotFound, ExportBroken, SourceError
        """
        export = self.get_export(table_name, version)
        return export.get_dataframe(columns=columns, filter=filter, resolution=resolution)

    def reset_available_files(self) -> list[CloudFileViewExport]:
        """List the folder anew."""
        self._listed = None
        return self.available_files

    def _files(self) -> list[tuple[str, int | None]]:
        if self._listed is None:
            self._listed = list(self._folder.list())
        return self._listed

    def _export(self, name: str, version: int, folder: str, size: int | None, ending: str) -> CloudFileViewExport:
        return CloudFileViewExport(
            name,
            size,
            version,
            f"{folder}/{name}",
            self._folder,
            voxels=partial(self._voxels, name) if callable(self._voxels) else self._voxels,
            cache=self._cache,
            ending=ending,
        )


def _number(version: Any) -> int:
    if isinstance(version, str) and version.isdecimal():
        return int(version)
    if isinstance(version, bool) or not hasattr(version, "__index__"):
        hint = "versions are whole numbers, such as 1300"
        raise InvalidParameters(f"{version!r} is no version", value=repr(version), hint=hint)
    return index(version)
