"""The request log: what was asked, how it was answered, how often."""

from __future__ import annotations

import re
from collections import Counter, deque
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

_NUMBERS = re.compile(r"(?<=/)-?\d+((?:,-?\d+)+|:\d+)?(?=/|$)")
_BUCKET = "/gcs/"


@dataclass(slots=True)
class Entry:
    """One request; `key` is the same for every attempt of one call, `delayed` is how much of the time was a rule's."""

    time: float
    method: str
    path: str
    query: str
    status: int | None
    bytes_in: int
    bytes_out: int
    milliseconds: float
    delayed: float
    fault: str | None
    body: int  #: checksum of the request's body
    sequence: int = 0

    @property
    def key(self) -> str:
        """Return what tells this call from others: attempts differ in time only."""
        query = f"?{self.query}" if self.query else ""
        return f"{self.method} {self.path}{query} {self.body:08x}"

    def as_json(self) -> dict[str, Any]:
        """Return it in JSON's types."""
        when = datetime.fromtimestamp(self.time, UTC).isoformat()
        return asdict(self) | {"time": when, "body": f"{self.body:08x}", "key": self.key}


@dataclass(slots=True)
class Count:
    """How often one endpoint was asked."""

    requests: int = 0
    faults: int = 0
    bytes_in: int = 0
    bytes_out: int = 0
    statuses: Counter[int | None] = field(default_factory=Counter)  #: None: no answer

    def add(self, entry: Entry) -> None:
        """Count one request."""
        self.requests += 1
        self.faults += entry.fault is not None
        self.bytes_in += entry.bytes_in
        self.bytes_out += entry.bytes_out
        self.statuses[entry.status] += 1


class RequestLog:
    """The last `size` requests, and the counts of all since it was cleared."""

    def __init__(self, size: int = 20_000) -> None:
        self._entries: deque[Entry] = deque(maxlen=size)
        self._counts: dict[str, Count] = {}
        self._sequence = 0
        self.dropped = 0  #: entries that had to make room

    def add(self, entry: Entry) -> None:
        """Append a request and number it, from 1 on."""
        self._sequence += 1
        entry.sequence = self._sequence
        self.dropped += len(self._entries) == self._entries.maxlen
        self._entries.append(entry)
        name = endpoint(entry.path)
        count = self._counts.get(name)
        if count is None:
            count = self._counts[name] = Count()
        count.add(entry)

    def entries(self, path: str = "", since: int = 0) -> list[Entry]:
        """Return the requests with this part in their path and a sequence above `since`, oldest first."""
        return [entry for entry in self._entries if entry.sequence > since and path in entry.path]

    @property
    def counts(self) -> dict[str, Count]:
        """How often each endpoint was asked, dropped entries included."""
        return dict(self._counts)

    def clear(self) -> None:
        """Forget entries and counts; sequence numbers go on, so that no `since` is met twice."""
        self._entries.clear()
        self._counts.clear()
        self.dropped = 0

    def as_json(self, path: str = "", since: int = 0) -> dict[str, Any]:
        """Return all of it in JSON's types."""
        return {
            "entries": [entry.as_json() for entry in self.entries(path, since)],
            "counts": {name: asdict(count) | {"statuses": _statuses(count)} for name, count in self._counts.items()},
            "last": self._sequence,
            "dropped": self.dropped,
        }


def _statuses(count: Count) -> dict[str, int]:
    return {"none" if status is None else str(status): n for status, n in count.statuses.items()}


@lru_cache(maxsize=4096)
def endpoint(path: str) -> str:
    """Name what a path asks for: its ids replaced, and an object's name cut to its first two folders."""
    if path.startswith(_BUCKET):
        folders = path.removeprefix(_BUCKET).split("/")[:-1]
        return _BUCKET + "/".join(folders[:2])
    return _NUMBERS.sub(_placeholder, path)


def _placeholder(found: re.Match[str]) -> str:
    rest = found[1] or ""
    if rest.startswith(":"):
        return "{id}:{lod}"
    return "{ids}" if rest else "{id}"
