"""What a process of the pool does with memory: a bound, and what it keeps of it between two arrays."""

from __future__ import annotations

import ctypes
import resource

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  #: numbers that `malloc.h` of glibc gives to these settings
_KEPT = 256 << 20  #: bytes that are free, and stay with the process
_ALONE = 64 << 20  #: bytes of an array that is large enough to be given back each time


def confine(megabytes: int) -> None:
    """Let this process use so much memory of its own, and no more.

    Beyond it an allocation fails: numpy and Python raise `MemoryError`, which costs an item its turn; libraries that
    do not look at what they get crash, which costs the process. Counted is what can be written and is not shared
    (`RLIMIT_DATA`); files that are mapped to be read, as Parquet and neuropil grids are, cost nothing.
    """
    most = megabytes * 2**20
    resource.setrlimit(resource.RLIMIT_DATA, (most, most))


def keep_freed() -> bool:
    """Let arrays use again what others have freed, instead of memory that the kernel has to clear first.

    A skeleton takes some dozens of arrays of megabytes, which glibc asks the kernel for and gives back one by one; the
    kernel clears each page, and processes wait for each other there. Returns False where malloc is not glibc's.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    return mallopt is not None and bool(mallopt(_TRIM_THRESHOLD, _KEPT) and mallopt(_MMAP_THRESHOLD, _ALONE))
