"""How the chunkedgraph is asked: ids that keep all digits, batches that servers accept, errors that say where."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from http import HTTPStatus
from operator import index
from typing import Any, TypeVar

import numpy as np
import requests
from numpy.typing import NDArray

from crant_core.errors import InvalidId, InvalidParameters, SourceError
from crant_core.ids import MAX_ID
from crant_core.progress import Progress, reporting
from crant_core.sources.failures import translated

Ids = NDArray[np.uint64]
Answer = TypeVar("Answer")
JSON_IDS = 45_000  #: ids that JSON writes in less than 1 MB, the smallest body that deployments are known to refuse
BINARY_IDS = 100_000  #: 8-byte ids in less than 1 MB
TICK = timedelta(milliseconds=1)  #: the chunkedgraph knows no finer time

_LAYER_SHIFT = np.uint64(56)
_REQUEST_ID = ("X-Request-ID", "X-Correlation-ID", "X-Cloud-Trace-Context")
_TOO_MUCH = (HTTPStatus.REQUEST_ENTITY_TOO_LARGE, HTTPStatus.GATEWAY_TIMEOUT)
_HALVINGS = 4  # a sixteenth that fails too means that the server is at fault
_HINT = "ids are integers from 0 (nothing) to 2**63 - 1, never floats"


def id_array(ids: Any) -> Ids:
    """Return ids as they are, (n,) uint64; 0 stands for nothing.

    Raises
    ------
    InvalidId
        For floats, which have lost digits, and for what is no 63-bit integer.
    """
    if isinstance(ids, np.ndarray) and ids.dtype.kind in "iu":
        found = ids.ravel()
        if found.size and (int(found.min()) < 0 or int(found.max()) > MAX_ID):
            wrong = int(found[(found < 0) | (found > MAX_ID)][0])
            raise InvalidId(f"{wrong} is no id", value=wrong, hint=_HINT)
        return found.astype(np.uint64)
    if isinstance(ids, np.ndarray):
        ids = ids.ravel().tolist()
    values = [ids] if hasattr(ids, "__index__") else ids
    return np.fromiter((_exact(value) for value in values), dtype=np.uint64)


def _exact(value: Any) -> int:
    try:
        found = index(value)
    except TypeError as error:
        raise InvalidId(f"{value!r} is no id", value=value, hint=_HINT) from error
    if isinstance(value, (bool, np.bool_)) or not 0 <= found <= MAX_ID:
        raise InvalidId(f"{value!r} is no id", value=value, hint=_HINT)
    return found


def layers_of(ids: Ids) -> Ids:
    """Return the layer of each id, (n,) uint64."""
    return ids >> _LAYER_SHIFT


def batches(ids: Ids, size: int, *, progress: Progress = False, what: str = "ids") -> Iterator[Ids]:
    """Cut ids into batches; a bar is shown only if they take longer than two seconds. `progress` counts ids.

    Raises
    ------
    InvalidParameters
        A batch has no size.
    """
    if isinstance(size, bool) or not hasattr(size, "__index__") or size < 1:
        raise InvalidParameters(f"a batch of {size!r} ids is none", value=size, hint="give a batch_size of 1 or more")
    shown = progress if callable(progress) else progress and len(ids) > size
    with reporting(shown, len(ids), what) as done:
        for start in range(0, len(ids), size):
            part = ids[start : start + size]
            yield part
            done(len(part))


def in_batches(
    ids: Ids, size: int, ask: Callable[[Ids], Answer], *, progress: Progress = False, what: str = "ids"
) -> Iterator[tuple[Ids, Answer]]:
    """Ask about ids in batches; one that is too much for the server is asked in halves, and these in halves again.

    Parameters
    ----------
    ids : (n,) uint64
    size : int
        Ids of a batch.
    ask : callable
        Takes a batch, raises `SourceError`.
    progress, what
        See `batches`.

    Yields
    ------
    batch, answer
        In the order of the ids.
    """
    for part in batches(ids, size, progress=progress, what=what):
        yield from _halving(part, ask, _HALVINGS)


def _halving(ids: Ids, ask: Callable[[Ids], Answer], left: int) -> Iterator[tuple[Ids, Answer]]:
    try:
        answer = ask(ids)
    except SourceError as error:
        if not left or len(ids) == 1 or not _is_too_much(error):
            raise
    else:
        yield ids, answer
        return
    half = len(ids) // 2
    yield from _halving(ids[:half], ask, left - 1)
    yield from _halving(ids[half:], ask, left - 1)


def _is_too_much(error: SourceError) -> bool:
    """Say whether a smaller question may be answered: a proxy lost its patience, or took the body for too large."""
    return error.value in _TOO_MUCH or isinstance(error.__cause__, requests.ReadTimeout)


@contextmanager
def asking(server: str) -> Iterator[None]:
    """Raise what a request raises in this project's words, with the request's id if the server gave one.

    Raises
    ------
    SourceError
        Its value is the HTTP status.
    """
    try:
        with translated(server):
            yield
    except (AttributeError, KeyError, TypeError) as error:  # caveclient takes every answer's form for granted
        message = f"{server} gave no answer of the expected form: {type(error).__name__}: {error}"
        raise SourceError(message, value=str(error)) from error
    except SourceError as error:
        request_id = _request_id(error.__cause__)
        if request_id:
            error.hint = "; ".join(filter(None, (error.hint, f"request id {request_id}")))
        raise


def check_count(server: str, answered: int, asked: int) -> None:
    """Refuse an answer that is not about every id.

    Raises
    ------
    SourceError
    """
    if answered != asked:
        raise SourceError(f"{server} answered for {answered} of {asked} ids", value=answered)


def _request_id(error: BaseException | None) -> str | None:
    response = error.response if isinstance(error, requests.RequestException) else None
    if response is None:
        return None
    return next((response.headers[name] for name in _REQUEST_ID if name in response.headers), None)


class Connection:
    """Where one segmentation's chunkedgraph is asked.

    Parameters
    ----------
    connect : callable
        Returns the caveclient to use.
    server : str
        Named in messages.
    lasting : bool
        Whether its history never changes.
    """

    def __init__(self, connect: Callable[[], Any], server: str, lasting: bool = True) -> None:
        self._connect = connect
        self.server = server
        self.lasting = lasting

    @property
    def name(self) -> str:
        """What distinguishes this chunkedgraph from all others: its server and its table."""
        with asking(self.server):
            return f"{self.server}/{self._connect().chunkedgraph.table_name}"

    def root_layer(self) -> int:
        """Return the layer of root ids.

        Source: `GET /segmentation/table/{table}/info`, `graph.n_layers`, once per client.
        """
        with asking(self.server):
            return int(self._connect().chunkedgraph.segmentation_info["graph"]["n_layers"])
