"""Result files, stored under the checksum of their bytes: a repeated result is the same file, a torn one cannot be.

Disks lose and damage files all the same, and people delete them. So whether a file is there is asked with its size,
and its checksum is compared when it is read; a damaged one is put aside, and the next writer stores it anew.
"""

from __future__ import annotations

import hashlib
import os
import re
import secrets
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path, PurePosixPath
from shutil import copyfileobj
from tempfile import TemporaryFile
from typing import IO, Any, Protocol
from urllib.parse import unquote, urlsplit

from cloudfiles import CloudFiles

from crant_core.errors import NotFound, StoreUnavailable
from crant_core.sources.buckets import BUCKET_ERRORS, bound_buckets
from crant_core.sources.keys import complete_aws_keys

_PART = 1 << 20  #: bytes
_ASKED_AT_ONCE = 16  #: sizes of files in an object store
_NAME = re.compile("[0-9a-f]{64}")
_ASIDE = ".leaving"


class ArtifactStore(Protocol):
    """Keeps bytes by their sha256."""

    def put(self, data: bytes) -> str:
        """Store bytes whole or not at all, and return their sha256 in hex.

        Raises
        ------
        StoreUnavailable
            The disk is full, or the store does not answer.
        """

    def put_parts(self, parts: Iterable[bytes]) -> tuple[str, int]:
        """Store bytes that come in parts, as `put` does but without holding them; return their sha256 and size."""

    def get(self, sha256: str) -> bytes:
        """Read bytes back and check them.

        Raises
        ------
        NotFound
            There is no such file, or it is damaged.
        """

    def missing(self, sizes: Mapping[str, int]) -> set[str]:
        """Say which files are not there, or not of their size: sizes by sha256."""

    def local_path(self, sha256: str) -> Path | None:
        """Return the file's path where there is one on this machine."""


class CloudStore:
    """The store on CloudFiles: `file:///…`, `s3://…`, `gs://…`, and `mem://…` for tests."""

    def __init__(self, url: str) -> None:
        self.url = url
        complete_aws_keys()
        bound_buckets()
        self.files = CloudFiles(url, progress=False, num_threads=1)
        self._asking = CloudFiles(url, progress=False, num_threads=_ASKED_AT_ONCE)
        self.folder = Path(unquote(urlsplit(url).path)) if url.startswith("file://") else None

    def put(self, data: bytes) -> str:
        """Store bytes whole or not at all, and return their sha256 in hex."""
        sha256 = hashlib.sha256(data).hexdigest()
        with _answering("written"):
            if not self._renewed(sha256, len(data)):
                self._write(_path(sha256), data)
        return sha256

    def put_parts(self, parts: Iterable[bytes]) -> tuple[str, int]:
        """Store bytes that come in parts, without holding them; return their sha256 in hex and their size."""
        with _answering("written"), TemporaryFile() as spool:
            sha256, size = _spooled(spool, parts)
            if not self._renewed(sha256, size):
                spool.seek(0)
                self._write(_path(sha256), spool)
        return sha256, size

    def _renewed(self, sha256: str, size: int) -> bool:
        """Make a whole file young if it is there, so that no purge takes it; object stores write it again for that."""
        if self.folder is None:
            return False
        try:
            os.utime(self.folder / _path(sha256))
        except FileNotFoundError:
            return False
        return not self.missing({sha256: size})

    def _write(self, path: str, data: bytes | IO[bytes]) -> None:
        """Object stores publish an upload when it is whole; a file system needs a rename for that."""
        if self.folder is None:
            is_simple = isinstance(data, bytes) or self.url.startswith("mem://")
            self.files.put(path, _whole(data) if is_simple else data, compress=None, raw=True)
            return
        target = self.folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        draft = target.with_name(f"{target.name}.{secrets.token_hex(4)}.draft")
        try:
            with draft.open("wb") as file:
                if isinstance(data, bytes):
                    file.write(data)
                else:
                    copyfileobj(data, file, _PART)
                file.flush()
                os.fsync(file.fileno())
            draft.replace(target)
        except BaseException:
            with suppress(OSError):
                draft.unlink(missing_ok=True)  # on a full disk, drafts of those who try again would keep it full
            raise

    def get(self, sha256: str) -> bytes:
        """Read bytes back and check them."""
        path = _path(sha256)
        with _answering("read"):
            data = self.files.get(path, raw=True) if self.folder is None else _read(self.folder / path)
        if data is None or hashlib.sha256(data).hexdigest() != sha256:
            self._put_aside(sha256)
            hint = "submit the job again: results whose files are gone or damaged are made again"
            raise NotFound(f"the artifact store has no sound file {sha256}", value=sha256, hint=hint)
        return bytes(data)

    def _put_aside(self, sha256: str) -> None:
        """Take a damaged file out of the way; one in an object store stays, as reading it may be what failed."""
        if path := self.local_path(sha256):
            with suppress(OSError):  # the store may be read-only here
                path.replace(path.with_name(f"{sha256}.damaged"))

    def missing(self, sizes: Mapping[str, int]) -> set[str]:
        """Say which files are not there, or not of their size; nothing is read."""
        with _answering("read"):
            if self.folder is not None:
                return {sha256 for sha256, size in sizes.items() if _size(self.folder / _path(sha256)) != size}
            found = self._asking.size([_path(sha256) for sha256 in sizes]) if sizes else {}
        return {sha256 for sha256, size in sizes.items() if found.get(_path(sha256)) != size}

    def local_path(self, sha256: str) -> Path | None:
        """Return the file's path where there is one on this machine."""
        path = self.folder / _path(sha256) if self.folder else None
        return path if path and path.is_file() else None

    def drafts(self) -> Iterator[Path]:
        """List what writers that died left behind (file systems only)."""
        return self.folder.glob("*/*.draft") if self.folder else iter(())

    def stored(self) -> Iterator[str]:
        """List the checksums of all files; what has another name is not ours."""
        with _answering("read"):
            paths = self.files.list() if self.folder is None else self.folder.glob("??/*")
            for path in paths:
                name = PurePosixPath(path).name
                if _NAME.fullmatch(name):
                    yield name

    def remove(self, sha256: str, grace: timedelta, *, really: bool) -> int | None:
        """Remove a file that is older than `grace`; return its size, or None if it is young, or gone.

        On a file system it is moved aside first: who has made it young meanwhile finds it again, and who comes later
        writes it anew.
        """
        if self.folder is None:
            return self._remove_object(sha256, grace, really=really)
        path = self.folder / _path(sha256)
        try:
            known = path.stat()
            if _is_young(known.st_mtime, grace):
                return None
            if really:
                aside = path.with_name(f"{sha256}.{secrets.token_hex(4)}{_ASIDE}")
                path.rename(aside)
                if not self._end(aside, path, grace):
                    return None
        except FileNotFoundError:  # another purge was here
            return None
        return known.st_size

    def tidy(self, grace: timedelta) -> None:
        """End what a purge that died had moved aside."""
        for aside in self.folder.glob(f"??/*{_ASIDE}") if self.folder else ():
            self._end(aside, aside.with_name(aside.name.partition(".")[0]), grace)

    def _end(self, aside: Path, path: Path, grace: timedelta) -> bool:
        """Remove a file that was moved aside, or put it back if somebody had made it young before."""
        with suppress(FileNotFoundError):
            if _is_young(aside.stat().st_mtime, grace):
                aside.replace(path)
                return False
            aside.unlink()
        return True

    def _remove_object(self, sha256: str, grace: timedelta, *, really: bool) -> int | None:
        with _answering("written"):
            head = self.files.head(_path(sha256))
            if not head or _is_young(_seconds_of(head["Last-Modified"]), grace):
                return None
            if really:
                self.files.delete(_path(sha256))
        return int(head["Content-Length"])


@contextmanager
def _answering(done: str) -> Iterator[None]:
    """Raise what disks and object stores raise as `StoreUnavailable`."""
    try:
        yield
    except BUCKET_ERRORS as error:
        raise StoreUnavailable(f"the artifact store cannot be {done}: {error}") from error


def _is_young(seconds: float, grace: timedelta) -> bool:
    return time.time() - seconds < grace.total_seconds()


def _seconds_of(moment: Any) -> float:
    """Read a time of modification, as object stores tell it."""
    if isinstance(moment, str):
        moment = parsedate_to_datetime(moment)
    return float(moment.timestamp())


def _spooled(spool: IO[bytes], parts: Iterable[bytes]) -> tuple[str, int]:
    digest, size = hashlib.sha256(), 0
    for part in parts:
        digest.update(part)
        size += spool.write(part)
    spool.flush()
    return digest.hexdigest(), size


def _whole(data: bytes | IO[bytes]) -> bytes:
    return data if isinstance(data, bytes) else data.read()


def _read(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None


def _size(path: Path) -> int | None:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return None


def _path(sha256: str) -> str:
    return f"{sha256[:2]}/{sha256}"
