"""What the running sandbox knows: one object, reached by every service through `state(request)`."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast

from starlette.requests import Request

from crant_core.sandbox.clock import Clock
from crant_core.sandbox.links import StateStore

if TYPE_CHECKING:
    from crant_core.sandbox.graph.chunkedgraph import ChunkedGraph
    from crant_core.sandbox.seatable import SeaTable
    from crant_core.sandbox.tables.frozen import Frozen
    from crant_core.sandbox.tables.table import Table
    from crant_core.sandbox.tables.version import Version
    from crant_core.sandbox.tables.view import View


ROW_LIMIT = 200_000


@dataclass
class State:
    """The mutable world of one sandbox process."""

    token: str
    graph: ChunkedGraph
    clock: Clock = field(default_factory=Clock)
    versions: list[Version] = field(default_factory=list)
    tables: dict[str, Table] = field(default_factory=dict)
    seatable: SeaTable | None = None
    links: StateStore = field(default_factory=StateStore)
    denied: dict[str, str] = field(default_factory=dict)  #: path prefix to why it is refused, see `auth.TokenAuth`
    views: dict[str, View] = field(default_factory=dict)
    row_limit: int = ROW_LIMIT  #: rows one materialization query may return
    frames: OrderedDict[tuple[str, int], Frozen] = field(default_factory=OrderedDict)  #: cache of `tables.frozen`


def state(request: Request) -> State:
    """Return the state behind a request."""
    return cast("State", request.app.state.sandbox)
