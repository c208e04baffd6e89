"""Keeps folders of cached files below a size: those not used for longest go, and what was left unfinished."""

from __future__ import annotations

import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

_AFTER_CLEANING = 0.8  # of the limit
_LEFT_BEHIND_SECONDS = 3600.0  # after which an unfinished file is nobody's


def files_in(paths: Iterable[Path], ending: str) -> list[tuple[float, int, Path]]:
    """List when files were last used, their sizes and paths; what was left unfinished long ago goes.

    Parameters
    ----------
    paths : iterable of Path
    ending : str
        Of finished files; others are unfinished ones.
    """
    found = []
    for path in paths:
        with suppress(FileNotFoundError):  # another process was faster
            stat = path.stat()
            if path.suffix == ending and not path.name.startswith("."):
                found.append((stat.st_mtime, stat.st_size, path))
            elif time.time() - stat.st_mtime > _LEFT_BEHIND_SECONDS:
                path.unlink()
    return found


def trim(paths: Iterable[Path], ending: str, most_bytes: int, keep: Path | None = None) -> None:
    """Remove files that were not used for longest, if all together are more than a limit; one may be spared."""
    files = sorted(files_in(paths, ending))
    size = sum(size for _, size, _ in files)
    if size <= most_bytes:
        return
    for _, bytes_, path in files:
        if size <= most_bytes * _AFTER_CLEANING:
            break
        if path != keep:
            path.unlink(missing_ok=True)
            size -= bytes_
