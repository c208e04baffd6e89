"""The folder that exports are in: a bucket, a site, or a folder of this machine."""

from __future__ import annotations

import io
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from os import PathLike
from pathlib import Path
from typing import Any, BinaryIO

from cloudfiles import CloudFiles

from crant_core.errors import InvalidInput, SourceError
from crant_core.exports.access import ANONYMOUS, asking, checked, has_credentials
from crant_core.exports.sites import names_below
from crant_core.sources.keys import complete_aws_keys
from crant_core.sources.public import guard

_LOCAL = "file://"
_PART = 8 << 20  # bytes of one request: few requests, and little memory


class Folder:
    """Files below one address; nothing is asked before it is needed.

    Parameters
    ----------
    address : str
        `gs://…`, `s3://…`, `https://…`, `file://…`, or a path of this machine.
    anonymous : bool
        Show the store no credentials of this machine's.
    public : bool
        Anonymous too, and only the public internet is asked; see `crant_core.sources.public`.
    """

    def __init__(self, address: str | PathLike[str], *, anonymous: bool = False, public: bool = False) -> None:
        self.address = checked(address)
        complete_aws_keys()
        self._kind = _PublicFiles if public else CloudFiles
        self._anonymous = anonymous or public
        path = Path(self.address.removeprefix(_LOCAL)).expanduser()
        self._local = path if self.address.startswith(_LOCAL) or "://" not in self.address else None

    def list(self) -> Iterator[tuple[str, int | None]]:
        """Yield the name and size of every file; a size is None if the store does not say it in a listing.

        Raises
        ------
        InvalidInput
            The site cannot list, or there is no such folder.
        SourceError
        """
        if self._local is not None and not self._local.is_dir():
            raise InvalidInput(f"there is no folder {self._local}", value=self.address)
        # cloud-files drops the .gz of local files when it lists them
        yield from self._listed() if self._local is None else _walk(self._local)

    def size(self, name: str) -> int | None:
        """Return the size of a file in bytes, None if it is not there."""
        if self._local is not None:
            path = self._local / name
            return path.stat().st_size if path.is_file() else None
        with asking(self.address):
            found = self._files().head(name)
        return None if found is None else int(_header(found, "content-length") or 0)

    def stamp(self, name: str) -> str:
        """Return what changes when the file does: its tag and size."""
        if self._local is not None:
            stat = (self._local / name).stat()
            return f"{stat.st_mtime_ns}-{stat.st_size}"
        with asking(self.address):
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
        return io.BufferedReader(_Parts(self, name, self.size(name) or 0))

    def part(self, name: str, start: int, stop: int) -> bytes:
        """Return bytes of a file, not one less than asked for.

        Raises
        ------
        SourceError
        """
        with asking(self.address):
            data = self._files().get({"path": name, "start": start, "end": stop}, raw=True)
        if data is None or len(data) != stop - start:
            raise SourceError(f"{name} was cut short, or changed while it was read", value=name, hint="try again")
        return bytes(data)

    def _files(self) -> CloudFiles:
        access = ANONYMOUS if self._anonymous or not has_credentials(self.address) else {}
        return self._kind(self.address, progress=False, num_threads=1, parallel=1, **access)

    def _listed(self) -> Iterator[tuple[str, int | None]]:
        with asking(self.address):
            try:
                yield from self._files().list(size=True)
            except NotImplementedError:  # of sites
                yield from ((name, None) for name in names_below(self.address))


class _PublicFiles(CloudFiles):  # type: ignore[misc] # cloud-files has no types
    """Files of sites that somebody else named."""

    def _get_connection(self) -> Any:
        found = super()._get_connection()
        guard(found.session)
        return found

    def list(self, *_: Any, **__: Any) -> Any:
        raise InvalidInput("what somebody else named is not listed", value=self.cloudpath)


class _Parts(io.RawIOBase):
    """A file of a bucket, fetched by ranges: while one is read, the next one is on its way."""

    def __init__(self, folder: Folder, name: str, size: int) -> None:
        self._folder, self._name, self._size, self._at = folder, name, size, 0
        self._pool = ThreadPoolExecutor(1, "exports")
        self._part = memoryview(b"")
        self._coming: Future[bytes] | None = None

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        if not self._part:
            self._part = memoryview(self._next())
        count = min(len(buffer), len(self._part))
        buffer[:count], self._part = self._part[:count], self._part[count:]
        return count

    def close(self) -> None:
        self._pool.shutdown(cancel_futures=True)
        super().close()

    def _next(self) -> bytes:
        coming = self._coming or self._ask()
        data = b"" if coming is None else coming.result()
        self._coming = self._ask()
        return data

    def _ask(self) -> Future[bytes] | None:
        start, self._at = self._at, min(self._at + _PART, self._size)
        return self._pool.submit(self._folder.part, self._name, start, self._at) if start < self._at else None


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
