"""Build the world into a folder: `python -m crant_core.sandbox.world FOLDER`."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from crant_core.sandbox.world.build import build


def main() -> None:
    """Build anew, whatever an interrupted build left."""
    folder = Path(sys.argv[1])
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    build(folder)


if __name__ == "__main__":
    main()
