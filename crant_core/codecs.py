"""How tables are compressed in files: what is best for one neuron's hundred rows is not for a lab's million."""

from __future__ import annotations

_SMALL = 1 << 20  #: bytes, below which setting zstd up for every column takes longer than compressing


def codec_of(size: int) -> str:
    """Name the Parquet codec for a table of so many bytes in memory.

    Snappy's files are an eighth larger, and written and read in half the time where there is little; all readers know
    both.
    """
    return "snappy" if size < _SMALL else "zstd"
