"""Where a built world is kept: a folder named after what it was built from."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import platformdirs
from filelock import FileLock

from crant_core.errors import StackError
from crant_core.sandbox.world.navis_data import data_folder

if TYPE_CHECKING:
    from crant_core.sandbox.world.world import World

NOTICE = "building the offline CAVE's world, once on this machine: about half a minute"
_COMPLETE = "complete"  #: written last
_NOT_BUILDERS = {"__main__.py", "cache.py", "crowd.py", "crowd_tables.py"}  # change no stored file
_KEPT_SECONDS = 30 * 24 * 3600
_MAKERS = ("numpy", "scipy", "pandas", "pyarrow", "DracoPy", "cloud-volume")
_FOLDER = "CRANT_SANDBOX_CACHE"  #: environment variable: where built worlds are kept


def open_world() -> World:
    """Return the world, building it first if no earlier build used the same code, data and libraries.

    Raises
    ------
    StackError
        navis is missing, or the build failed.
    """
    from crant_core.sandbox.world.world import World

    return World(prepare())


def is_ready() -> bool:
    """Say whether the world was built already."""
    return (cache_folder() / fingerprint() / _COMPLETE).exists()


def prepare() -> Path:
    """Return the world's folder, building it first if need be."""
    folder = cache_folder() / fingerprint()
    with _alone(folder):
        if not (folder / _COMPLETE).exists():
            _build(folder)
            _forget_unused()
        (folder / _COMPLETE).touch()  # used today
    return folder


def cache_folder() -> Path:
    """Return the folder of all built worlds: `CRANT_SANDBOX_CACHE`, or the user's cache."""
    given = os.environ.get(_FOLDER)
    return Path(given) if given else platformdirs.user_cache_path("crant") / "sandbox"


def fingerprint() -> str:
    """Hash the code that builds, the data it builds from, and the versions of the libraries that write files."""
    digest = hashlib.sha256()
    for path in _sources():
        digest.update(path.name.encode() + hashlib.sha256(path.read_bytes()).digest())
    digest.update(" ".join(f"{name} {version(name)}" for name in _MAKERS).encode())
    return digest.hexdigest()[:16]


def _sources() -> Iterator[Path]:
    here = Path(__file__).parent
    builders = [path for path in here.glob("*.py") if path.name not in _NOT_BUILDERS]
    others = (here.parent / name for name in ("layout.py", "tables/columns.py", "tables/frozen.py"))
    yield from sorted([*builders, *(here.parent / "graph").glob("*.py"), *others])
    yield from sorted(path for path in data_folder().rglob("*") if path.suffix in {".obj", ".swc", ".csv"})


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Let one process build while others wait."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(folder.with_suffix(".lock")):
        yield


def _build(folder: Path) -> None:
    """Build in a process of its own, which takes its 2 GB along when it ends."""
    command = [sys.executable, "-m", "crant_core.sandbox.world", str(folder)]
    environment = os.environ | {"CLOUD_VOLUME_DIR": str(folder.parent)}  # cloud-volume would make one in the home
    outcome = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if outcome.returncode:
        raise StackError(f"the sandbox's world could not be built: {outcome.stderr[-2000:]}")
    (folder / _COMPLETE).touch()


def _forget_unused() -> None:
    """Remove worlds of earlier code that nobody opened for a month."""
    for mark in cache_folder().glob(f"*/{_COMPLETE}"):
        if time.time() - mark.stat().st_mtime > _KEPT_SECONDS:
            shutil.rmtree(mark.parent)
