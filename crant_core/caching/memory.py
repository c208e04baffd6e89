"""Caches in memory: each thing is made once, however many threads ask for it at the same time."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator, MutableMapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from time import monotonic
from typing import Any

_MOST = 1_000_000
_ALWAYS: Callable[[Any], bool] = lambda value: True  # noqa: E731 - a default, not a function


@dataclass(frozen=True, slots=True)
class _Entry:
    value: Any
    made: float = field(default_factory=monotonic)

    def is_fresh(self, max_age: float | None) -> bool:
        return max_age is None or monotonic() - self.made < max_age


@dataclass(slots=True)
class _Turn:
    lock: threading.RLock = field(default_factory=threading.RLock)
    users: int = 0


class Cache(MutableMapping[Hashable, Any]):
    """A mapping whose values are made when first asked for, safe to share between threads.

    Values are handed out as they are: what can be changed must be copied by whoever stores it.

    Parameters
    ----------
    most : int, optional
        Entries kept; the one that was asked for longest ago goes first.
    """

    def __init__(self, most: int = _MOST) -> None:
        self._most = most
        self._entries: OrderedDict[Hashable, _Entry] = OrderedDict()
        self._lock = threading.RLock()
        self._turns: dict[Hashable, _Turn] = {}
        self._generation = 0

    def get_or_make(
        self,
        key: Hashable,
        make: Callable[[], Any],
        max_age: float | None = None,
        is_valid: Callable[[Any], bool] = _ALWAYS,
        clear: bool = False,
    ) -> Any:
        """Return what is stored, or make it; of threads that ask for the same key, one makes it and the others wait.

        Parameters
        ----------
        key : hashable
        make : callable
            Called without arguments; what it raises is not remembered.
        max_age : float, optional
            Seconds after which it is made anew.
        is_valid : callable, optional
            Called with what is stored; False means that it is made anew.
        clear : bool, optional
            Make it anew whatever is stored.
        """
        with self.turn(key):
            found = None if clear else self.entry(key, max_age)
            if found is not None and is_valid(found.value):
                return found.value
            generation = self._generation
            value = make()
            self.store(key, value, generation)
            return value

    def entry(self, key: Hashable, max_age: float | None = None) -> _Entry | None:
        """Return what is stored, with its age; None if there is nothing, or it is too old."""
        with self._lock:
            found = self._entries.get(key)
            if found is None or not found.is_fresh(max_age):
                return None
            self._entries.move_to_end(key)
            return found

    def store(self, key: Hashable, value: Any, generation: int | None = None, most: int | None = None) -> None:
        """Keep a value, unless the cache was cleared since `generation`; of all values, keep at most `most`."""
        with self._lock:
            if generation is not None and generation != self._generation:
                return
            self._entries[key] = _Entry(value)
            self._entries.move_to_end(key)
            while len(self._entries) > (most or self._most):
                self._entries.popitem(last=False)

    @property
    def generation(self) -> int:
        """How often the cache was cleared."""
        return self._generation

    @contextmanager
    def turn(self, key: Hashable) -> Iterator[None]:
        """Let one thread at a time work on a key."""
        with self._lock:
            turn = self._turns.setdefault(key, _Turn())
            turn.users += 1
        try:
            with turn.lock:
                yield
        finally:
            with self._lock:
                turn.users -= 1
                if not turn.users:
                    self._turns.pop(key, None)

    def clear(self) -> None:
        """Forget everything, that which is being made now too."""
        with self._lock:
            self._generation += 1
            self._entries.clear()

    def __getitem__(self, key: Hashable) -> Any:
        with self._lock:
            return self._entries[key].value

    def __setitem__(self, key: Hashable, value: Any) -> None:
        self.store(key, value)

    def __delitem__(self, key: Hashable) -> None:
        with self._lock:
            del self._entries[key]

    def __iter__(self) -> Iterator[Hashable]:
        with self._lock:
            return iter(list(self._entries))

    def __len__(self) -> int:
        return len(self._entries)


_caches: dict[str, Cache] = {}
_caches_lock = threading.Lock()


def get_global_cache(cache_name: str) -> Cache:
    """Return the cache of this name, which the process shares; the first who asks makes it.

    Parameters
    ----------
    cache_name : str

    Returns
    -------
    Cache
        A mutable mapping from keys to what is stored. Do not change what is stored.
    """
    with _caches_lock:
        return _caches.setdefault(cache_name, Cache())


def clear_global_cache(cache_name: str) -> None:
    """Forget what a cache holds; a name that nobody used is no error.

    Parameters
    ----------
    cache_name : str
        Such as `"cave_clients"`, `"cloudvolumes"`, or what a decorator was given.
    """
    get_global_cache(cache_name).clear()


def clear_global_caches() -> None:
    """Forget what all caches in memory hold."""
    with _caches_lock:
        caches = list(_caches.values())
    for cache in caches:
        cache.clear()
