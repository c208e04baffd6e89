"""Where a built world is kept: a folder named after what it was built from."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path

import platformdirs
from filelock import FileLock

from crant_core.errors import StackError
from crant_core.sandbox.world.navis_data import data_folder
from crant_core.sandbox.world.world import World

_COMPLETE = "complete"  #: written last
_MAKERS = ("numpy", "scipy", "pandas", "pyarrow", "DracoPy", "cloud-volume")
_FOLDER = "CRANT_SANDBOX_CACHE"  #: environment variable: where built worlds are kept


def open_world() -> World:
    """Return the world, building it first if no earlier build used the same code and data.

    Raises
    ------
    StackError
        navis is missing, or the build failed.
    """
    folder = cache_folder() / fingerprint()
    with _alone(folder):
        if not (folder / _COMPLETE).exists():
            _build(folder)
    return World(folder)


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
    yield from sorted([*here.glob("*.py"), *(here.parent / "graph").glob("*.py"), here.parent / "layout.py"])
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
    outcome = subprocess.run(command, capture_output=True, text=True, check=False)
    if outcome.returncode:
        raise StackError(f"the sandbox's world could not be built: {outcome.stderr[-2000:]}")
    (folder / _COMPLETE).touch()
