"""Build the world: `python -m crant_core.sandbox.world [FOLDER]`; without a folder, the cached one if it is missing."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from crant_core.sandbox.world import cache


def main() -> None:
    """Say so before taking half a minute, and build anew whatever an interrupted build left."""
    if len(sys.argv) > 1:
        _build(Path(sys.argv[1]))
    elif not cache.is_ready():
        sys.stdout.write(f"{cache.NOTICE}\n")
        sys.stdout.flush()
        cache.prepare()


def _build(folder: Path) -> None:
    from crant_core.sandbox.world.build import build

    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    build(folder)


if __name__ == "__main__":
    main()
