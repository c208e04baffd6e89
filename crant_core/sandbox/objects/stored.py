"""One object of the bucket."""

from __future__ import annotations

import gzip
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Stored:
    """Bytes as they are stored; `encoding` is how they are compressed, for the Content-Encoding header."""

    data: bytes
    encoding: str | None = None
    media_type: str = "application/octet-stream"


def stored_json(content: Mapping[str, Any]) -> Stored:
    """Return a JSON object such as `info`."""
    return Stored(json.dumps(content).encode(), media_type="application/json")


def gzipped(data: bytes) -> Stored:
    """Return an object that is stored gzipped, the same bytes every time."""
    return Stored(gzip.compress(data, compresslevel=1, mtime=0), "gzip")
