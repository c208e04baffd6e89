"""Building what the offline CAVE serves: half a minute, once on a machine, beside the start of everything else."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from types import TracebackType

from crant_core.errors import StackError


class WorldBuild:
    """A running build; ends at once if the world was built before.

    Parameters
    ----------
    notice : callable
        Told what the build says.
    """

    def __init__(self, notice: Callable[[str], None]) -> None:
        self._notice = notice

    def __enter__(self) -> WorldBuild:
        """Start it."""
        command = [sys.executable, "-m", "crant_core.sandbox.world"]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        return self

    def wait(self) -> None:
        """Return when the world is built.

        Raises
        ------
        StackError
            It cannot be built.
        """
        for line in self._process.stdout or ():
            self._notice(line.strip())
        problem = self._process.communicate()[1]
        if self._process.returncode:
            raise StackError("the offline CAVE's world could not be built", hint=problem[-2000:])

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End it, if something else went wrong meanwhile."""
        self._process.kill()
        self._process.communicate()
