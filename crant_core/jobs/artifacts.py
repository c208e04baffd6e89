"""Result files, stored under the checksum of their bytes: a repeated result is the same file, a torn one cannot be."""

from __future__ import annotations

import hashlib
import os
import re
import secrets
import time
from collections.abc import Iterator
from contextlib import suppress
from datetime import timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path, PurePosixPath
from typing import Any, Protocol
from urllib.parse import unquote, urlsplit

from cloudfiles import CloudFiles

from crant_core.errors import NotFound, StoreUnavailable

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

    def get(self, sha256: str) -> bytes:
        """Read bytes back and check them.

        Raises
        ------
        NotFound
            There is no such file, or it is damaged.
        """

    def local_path(self, sha256: str) -> Path | None:
        """Return the file's path where there is one on this machine."""


class CloudStore:
    """The store on CloudFiles: `file:///…`, `s3://…`, `gs://…`, and `mem://…` for tests."""

    def __init__(self, url: str) -> None:
        self.files = CloudFiles(url, progress=False, num_threads=1)
        self.folder = Path(unquote(urlsplit(url).path)) if url.startswith("file://") else None

    def put(self, data: bytes) -> str:
        """Store bytes whole or not at all, and return their sha256 in hex."""
        sha256 = hashlib.sha256(data).hexdigest()
        try:
            if not self._renewed(_path(sha256)):
                self._write(_path(sha256), data)
        except OSError as error:
            raise StoreUnavailable(f"the artifact store cannot be written: {error}") from error
        return sha256

    def _renewed(self, path: str) -> bool:
        """Make a file young if it is there, so that no purge takes it; object stores write it again for that."""
        if self.folder is None:
            return False
        try:
            os.utime(self.folder / path)
        except FileNotFoundError:
            return False
        return True

    def _write(self, path: str, data: bytes) -> None:
        """Object stores publish an upload when it is whole; a file system needs a rename for that."""
        if self.folder is None:
            self.files.put(path, data, compress=None, raw=True)
            return
        target = self.folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        draft = target.with_name(f"{target.name}.{secrets.token_hex(4)}.draft")
        with draft.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(target)

    def get(self, sha256: str) -> bytes:
        """Read bytes back and check them."""
        data = self.files.get(_path(sha256), raw=True)
        if data is None or hashlib.sha256(data).hexdigest() != sha256:
            raise NotFound(f"the artifact store has no sound file {sha256}", value=sha256)
        return bytes(data)

    def local_path(self, sha256: str) -> Path | None:
        """Return the file's path where there is one on this machine."""
        path = self.folder / _path(sha256) if self.folder else None
        return path if path and path.is_file() else None

    def drafts(self) -> Iterator[Path]:
        """List what writers that died left behind (file systems only)."""
        return self.folder.glob("*/*.draft") if self.folder else iter(())

    def stored(self) -> Iterator[str]:
        """List the checksums of all files; what has another name is not ours."""
        if self.folder is not None:
            names = (path.name for path in self.folder.glob("??/*"))
        else:
            names = (PurePosixPath(path).name for path in self.files.list())
        return (name for name in names if _NAME.fullmatch(name))

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
        head = self.files.head(_path(sha256))
        if not head or _is_young(_seconds_of(head["Last-Modified"]), grace):
            return None
        if really:
            self.files.delete(_path(sha256))
        return int(head["Content-Length"])


def _is_young(seconds: float, grace: timedelta) -> bool:
    return time.time() - seconds < grace.total_seconds()


def _seconds_of(moment: Any) -> float:
    """Read a time of modification, as object stores tell it."""
    if isinstance(moment, str):
        moment = parsedate_to_datetime(moment)
    return float(moment.timestamp())


def _path(sha256: str) -> str:
    return f"{sha256[:2]}/{sha256}"
