"""A bound on the memory of a process of the pool: what asks for more fails alone, and the kernel kills nobody."""

from __future__ import annotations

import resource


def confine(megabytes: int) -> None:
    """Let this process use so much memory of its own, and no more.

    Beyond it an allocation fails: numpy and Python raise `MemoryError`, which costs an item its turn; libraries that
    do not look at what they get crash, which costs the process. Counted is what can be written and is not shared
    (`RLIMIT_DATA`); files that are mapped to be read, as Parquet and neuropil grids are, cost nothing.
    """
    most = megabytes * 2**20
    resource.setrlimit(resource.RLIMIT_DATA, (most, most))
