"""64-bit ids of the chunkedgraph: supervoxels, L2 chunks, roots.

An id is `layer (8 bits) | chunk x, y, z | segment`. It is an integer everywhere in this project and a string wherever
JavaScript might read it, because a JSON number above 2**53 silently loses digits there. It never passes through float.
"""

from __future__ import annotations

import re
from array import array
from collections.abc import Iterable
from contextlib import suppress
from operator import index
from typing import Annotated, Any

from pydantic import BeforeValidator, PlainSerializer, WithJsonSchema

from crant_core.errors import InvalidId

MAX_ID = 2**63 - 1
_LAYER_SHIFT = 56
_DIGITS = re.compile(r"[0-9]{1,19}")
_HINT = "give a positive integer below 2**63, as a JSON string or integer, never as a float"


def parse_id(value: Any) -> int:
    """Read one 64-bit id exactly.

    Parameters
    ----------
    value : int or str
        A positive integer, or its decimal digits. numpy integers are integers too.

    Returns
    -------
    int
        Between 1 and 2**63 - 1.

    Raises
    ------
    InvalidId
        For floats, booleans, 0, negative numbers, numbers above 2**63 - 1 and anything that is not a number.
    """
    number = _exact_integer(value)
    if not 0 < number <= MAX_ID:
        raise InvalidId(f"{value!r} is outside 1 … 2**63 - 1", value=value, hint=_HINT)
    return number


def _exact_integer(value: Any) -> int:
    if isinstance(value, str) and _DIGITS.fullmatch(value.strip()):
        return int(value)
    if not isinstance(value, bool):
        with suppress(TypeError):  # arrays have the method too
            return index(value)
    raise InvalidId(f"{value!r} is not an id", value=value, hint=_HINT)


def layer_of(node_id: int) -> int:
    """Return the chunkedgraph layer of an id: 1 supervoxel, 2 L2 chunk, the dataset's top layer for a root."""
    return node_id >> _LAYER_SHIFT


def pack(ids: Iterable[int]) -> bytes:
    """Store ids as little-endian int64, 8 bytes each."""
    packed = array("q", ids)
    return _little_endian(packed).tobytes()


def unpack(data: bytes) -> list[int]:
    """Read what `pack` wrote."""
    packed = array("q")
    packed.frombytes(data)
    return list(_little_endian(packed))


def _little_endian(packed: array[int]) -> array[int]:
    import sys

    if sys.byteorder == "big":
        packed.byteswap()
    return packed


RootId = Annotated[
    int,
    BeforeValidator(parse_id),
    PlainSerializer(str, return_type=str, when_used="json"),
    WithJsonSchema({"type": ["string", "integer"], "pattern": "^[0-9]{1,19}$", "examples": ["576460754037774276"]}),
]
"""A root id in pydantic models: read exactly from strings or integers, written as a string."""
