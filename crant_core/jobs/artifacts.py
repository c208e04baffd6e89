"""Result files, stored under the checksum of their bytes: a repeated result is the same file, a torn one cannot be."""

from __future__ import annotations

import hashlib
import os
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol
from urllib.parse import unquote, urlsplit

from cloudfiles import CloudFiles

from crant_core.errors import NotFound, StoreUnavailable
from crant_core.sources.keys import complete_aws_keys


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
        complete_aws_keys()
        self.files = CloudFiles(url, progress=False, num_threads=1)
        self.folder = Path(unquote(urlsplit(url).path)) if url.startswith("file://") else None

    def put(self, data: bytes) -> str:
        """Store bytes whole or not at all, and return their sha256 in hex."""
        sha256 = hashlib.sha256(data).hexdigest()
        try:
            if not self.files.exists(_path(sha256)):
                self._write(_path(sha256), data)
        except OSError as error:
            raise StoreUnavailable(f"the artifact store cannot be written: {error}") from error
        return sha256

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


def _path(sha256: str) -> str:
    return f"{sha256[:2]}/{sha256}"
