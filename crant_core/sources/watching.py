"""Who wants to know what is asked of servers and caches: nobody, unless a process says so."""

from __future__ import annotations

from typing import Protocol


class Watcher(Protocol):
    """Hears of requests and of looks into caches; called from any thread, and must not take long."""

    def answered(self, method: str, url: str, status: int | None, began: float, seconds: float) -> None:
        """Hear of a request: its status (None if no answer came), when it began (Unix time), how long it took."""

    def received(self, url: str, size: int) -> None:
        """Hear of an answer's body: its bytes as they came, maybe compressed, also if it broke off."""

    def looked_up(self, cache: str, *, found: bool, times: int = 1) -> None:
        """Hear of a look into a cache, or of so many."""


class Nobody:
    """Does not care."""

    def answered(self, method: str, url: str, status: int | None, began: float, seconds: float) -> None:
        """Ignore it."""

    def received(self, url: str, size: int) -> None:
        """Ignore it."""

    def looked_up(self, cache: str, *, found: bool, times: int = 1) -> None:
        """Ignore it."""


_installed: list[Watcher] = [Nobody()]


def install(watcher: Watcher) -> None:
    """Tell this one of everything in this process from now on."""
    _installed[:] = [watcher]


def watcher() -> Watcher:
    """Return who watches in this process."""
    return _installed[0]
