"""One materialization version."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Version:
    """When a version was frozen and until when it is served; `tables` are the names frozen in it."""

    number: int
    timestamp: datetime
    expires: datetime
    tables: tuple[str, ...] = ()
