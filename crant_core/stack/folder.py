"""The one folder in which a stack keeps everything, and the lock that makes it one stack's."""

from __future__ import annotations

import fcntl
import json
import os
import secrets
from pathlib import Path
from typing import Any

from crant_core.errors import StackError


class DataFolder:
    """A stack's folder: database, artifacts, logs, secrets. Nobody else may look into it."""

    def __init__(self, path: Path) -> None:
        self.path = path.expanduser().absolute()
        self.path.mkdir(parents=True, exist_ok=True)
        self.path.chmod(0o700)
        for name in ("artifacts", "beat", "logs", "redis"):
            (self.path / name).mkdir(exist_ok=True)
        self._lock = -1

    @property
    def client_file(self) -> Path:
        """Where the command line finds the running stack."""
        return self.path / "client.json"

    def lock(self) -> None:
        """Make this folder ours until `unlock` or the end of this process.

        Raises
        ------
        StackError
            Another stack runs here.
        """
        descriptor = os.open(self.path / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            owner = os.read(descriptor, 100).decode()
            os.close(descriptor)
            where = f"process {owner}, at {self.known().get('url', 'an address it has not chosen yet')}"
            hint = "use that one, stop it, or choose another folder with --data"
            raise StackError(f"a stack runs in {self.path} already: {where}", hint=hint) from error
        os.ftruncate(descriptor, 0)
        os.write(descriptor, str(os.getpid()).encode())
        self._lock = descriptor

    def unlock(self) -> None:
        """Let another stack use the folder."""
        os.close(self._lock)

    def known(self) -> dict[str, str]:
        """Return what is known of the stack here: address, token, Flower's address and password."""
        return _read(self.client_file)

    def remember(self, **facts: str | None) -> None:
        """Store what the command line needs, readable by its owner only."""
        _write(self.client_file, self.known() | facts)

    def secret(self, name: str) -> str:
        """Return a secret of this stack, made up when first asked for."""
        path = self.path / "secrets.json"
        known = _read(path)
        if name not in known:
            known[name] = secrets.token_hex(16)
            _write(path, known)
        return known[name]


def _read(path: Path) -> dict[str, str]:
    found: dict[str, str] = json.loads(path.read_text()) if path.is_file() else {}
    return found


def _write(path: Path, content: dict[str, Any]) -> None:
    draft = path.with_name(f"{path.name}.draft")
    draft.unlink(missing_ok=True)
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        json.dump(content, file, indent=2)
    draft.replace(path)
