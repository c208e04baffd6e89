"""The folder that exports are in: a bucket, a site, or a folder of this machine."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from cloudfiles import CloudFiles

from crant_core.errors import InvalidInput, SourceError
from crant_core.sources.failures import translated

_LOCAL = "file://"
_PART = 8 << 20  # bytes of one request: few requests, and little memory


class Folder:
    """Files below one address; nothing is asked before it is needed.

    Parameters
    ----------
    address : str
        `gs://…`, `s3://…`, `https://…`, `file://…`, or a path of this machine.
    """

    def __init__(self, address: str) -> None:
        self.address = address.rstrip("/")
        path = Path(address.removeprefix(_LOCAL)).expanduser()
        self._local = path if address.startswith(_LOCAL) or "://" not in address else None

    def list(self) -> Iterator[tuple[str, int | None]]:
        """Yield the name and size of every file; a size is None if the store does not say it in a listing.

        Raises
        ------
        InvalidInput
            The site cannot list.
        SourceError
        """
        # cloud-files drops the .gz of local files when it lists them
        yield from self._listed() if self._local is None else _walk(self._local)

    def size(self, name: str) -> int | None:
        """Return the size of a file in bytes, None if it is not there."""
        if self._local is not None:
            path = self._local / name
            return path.stat().st_size if path.is_file() else None
        with translated(self.address):
            found = self._files().head(name)
        return None if found is None else int(_header(found, "content-length") or 0)

    def stamp(self, name: str) -> str:
        """Return what changes when the file does: its tag and size."""
        if self._local is not None:
            stat = (self._local / name).stat()
            return f"{stat.st_mtime_ns}-{stat.st_size}"
        with translated(self.address):
            found = self._files().head(name) or {}
        return "-".join(_header(found, key) for key in ("etag", "last-modified", "content-length"))

    def open(self, name: str) -> BinaryIO:
        """Open a file that is there, to be read from its beginning in parts, as it is stored.

        Raises
        ------
        SourceError
        """
        if self._local is not None:
            return (self._local / name).open("rb")
        parts = _Parts(self, name, self.size(name) or 0)
        return io.BufferedReader(parts, _PART)

    def part(self, name: str, start: int, stop: int) -> bytes:
        """Return bytes of a file, not one less than asked for.

        Raises
        ------
        SourceError
        """
        with translated(self.address):
            data = self._files().get({"path": name, "start": start, "end": stop}, raw=True)
        if data is None or len(data) != stop - start:
            raise SourceError(f"{name} was cut short, or changed while it was read", value=name, hint="try again")
        return bytes(data)

    def _files(self) -> CloudFiles:
        return CloudFiles(self.address, progress=False, num_threads=1, parallel=1)

    def _listed(self) -> Iterator[tuple[str, int | None]]:
        with translated(self.address):
            try:
                yield from ((name, size) for name, size in self._files().list(size=True))
            except NotImplementedError as error:
                hint = "name the table and the version: get_table(name, version) lists nothing"
                raise InvalidInput(f"{self.address} cannot list its files", value=self.address, hint=hint) from error


class _Parts(io.RawIOBase):
    """A file of a bucket, fetched by ranges."""

    def __init__(self, folder: Folder, name: str, size: int) -> None:
        self._folder, self._name, self._size, self._at = folder, name, size, 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        stop = min(self._at + len(buffer), self._size)
        if stop == self._at:
            return 0
        data = self._folder.part(self._name, self._at, stop)
        buffer[: len(data)] = data
        self._at = stop
        return len(data)


def _walk(folder: Path) -> Iterator[tuple[str, int | None]]:
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            yield path.relative_to(folder).as_posix(), path.stat().st_size


def _header(found: object, name: str) -> str:
    """Read a header whatever the store calls it: S3 gives `ETag`, Google `etag`, and both as keys of a mapping."""
    wanted = name.replace("-", "")
    for key, value in dict(found).items():  # type: ignore[call-overload]
        if str(key).lower().replace("-", "").replace("_", "") in (wanted, {"contentlength": "size"}.get(wanted)):
            return str(value).strip('"')
    return ""
