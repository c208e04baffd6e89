"""How far a call is: shown as a bar, or told to a function."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeAlias

#: whether a bar is shown, or what is called with how much is done and of how much; both in the units of the call
Progress: TypeAlias = bool | Callable[[int, int], None]

_QUIET_SECONDS = 2.0  # before a bar is worth showing


@contextmanager
def reporting(progress: Progress, total: int, what: str) -> Iterator[Callable[[int], None]]:
    """Yield what takes how many more are done, from any thread.

    Parameters
    ----------
    progress : bool or callable
        A bar is shown only if it takes longer than two seconds. A function is called as soon as more is done, one call
        at a time; what it raises ends the work.
    total : int
    what : str
        What is counted, for the bar.
    """
    if not callable(progress):
        from tqdm import tqdm

        with tqdm(total=total, desc=what, disable=not progress, delay=_QUIET_SECONDS, leave=False) as bar:

            def shift(more: int) -> None:
                bar.update(more)

            yield shift
        return
    lock, done = threading.Lock(), 0

    def tell(more: int) -> None:
        nonlocal done
        with lock:
            done += more
            progress(done, total)

    yield tell
