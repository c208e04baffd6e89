"""What the chunkedgraph tells of roots that may be gone: whether they were, since and until when, what they became."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from crant_core.errors import SourceError
from crant_core.sources.chunkedgraph_lineage import Lineage
from crant_core.sources.chunkedgraph_requests import (
    JSON_IDS,
    TICK,
    Answer,
    Connection,
    Ids,
    asking,
    check_count,
    id_array,
    in_batches,
    layers_of,
)

_LINEAGE_IDS = 5_000  # each brings its history
_DAY = timedelta(days=1)


class Past(Connection):
    """Existence, times and lineage of roots, in bulk."""

    def exist(self, roots: ArrayLike) -> NDArray[np.bool_]:
        """Say which ids are or ever were roots.

        Source: `GET /segmentation/api/v1/table/{table}/valid_nodes`, which asks in a body; some proxies drop it.

        Returns
        -------
        (n,) bool
        """
        unique, back = np.unique(id_array(roots), return_inverse=True)
        may_be = layers_of(unique) == self.root_layer()
        parts = [answer for _, answer in in_batches(unique[may_be], JSON_IDS, self._exist)]
        found = np.zeros(len(unique), dtype=np.bool_)
        found[may_be] = np.concatenate([np.empty(0, dtype=np.bool_), *parts])
        return found[back]

    def _exist(self, roots: Ids) -> NDArray[np.bool_]:
        with asking(self.server):
            until = datetime.now(UTC) + _DAY  # else a pinned client hides what is newer
            answer = self._connect().chunkedgraph.is_valid_nodes(roots, end_timestamp=until)
        check_count(self.server, len(answer), len(roots))
        return np.asarray(answer, dtype=np.bool_)

    def root_timestamps(
        self, ids: ArrayLike, latest: bool = False, timestamp: datetime | None = None
    ) -> list[datetime | None]:
        """Say since when roots hold, or with `latest` when they ended.

        Source: `POST /segmentation/api/v1/table/{table}/root_timestamps`. Servers refuse questions about unknown ids
        (or answer nothing), so after a refusal `valid_nodes` says which to leave out.

        Parameters
        ----------
        ids : array_like of int, (n,)
        latest : bool
            Ask for the end; `timestamp` for roots that hold then.
        timestamp : datetime, optional
            Aware; now, if left out.

        Returns
        -------
        list of datetime or None, (n,)
            UTC; None for what never was a root.
        """
        asked = id_array(ids)
        unique = np.unique(asked[layers_of(asked) == self.root_layer()])
        at = timestamp or datetime.now(UTC)
        found: dict[int, datetime] = {}

        def ask(part: Ids) -> dict[int, datetime] | None:
            return self._known(part, lambda known: self._times(known, at, latest=latest))

        for _, answer in in_batches(unique, JSON_IDS, ask):
            found.update(answer or {})
        return [found.get(root) for root in asked.tolist()]

    def _times(self, roots: Ids, at: datetime, *, latest: bool) -> dict[int, datetime]:
        with asking(self.server):
            answer = self._connect().chunkedgraph.get_root_timestamps(roots, latest=latest, timestamp=at)
        if not len(answer):
            return {}  # what a server says if it knows none of them
        check_count(self.server, len(answer), len(roots))
        early = TICK if latest else TICK * 0  # caveclient's own correction, taken back
        return {root: moment + early for root, moment in zip(roots.tolist(), answer, strict=True)}

    def lineage(
        self,
        roots: ArrayLike,
        past: datetime | None = None,
        future: datetime | None = None,
        *,
        progress: bool = False,
    ) -> Lineage:
        """Tell what roots were and what they became.

        Source: `POST /segmentation/api/v1/table/{table}/lineage_graph_multiple`; `valid_nodes` if a root is unknown.

        Parameters
        ----------
        roots : array_like of int, (n,)
        past, future : datetime, optional
            Aware. How far to go; the first roots beyond are still told. Left out: to the beginning, until now.

        Returns
        -------
        Lineage
            Ids that never were roots are not in it.
        """
        asked = np.unique(id_array(roots))
        asked = asked[layers_of(asked) == self.root_layer()]
        until, found = future or datetime.now(UTC), Lineage()

        def ask(part: Ids) -> dict[str, Any] | None:
            return self._known(part, lambda known: self._lineage(known, past, until))

        for part, answer in in_batches(asked, _LINEAGE_IDS, ask, progress=progress, what="lineage"):
            if answer is not None:
                found.read(answer)
                found.followed(part.tolist(), until)
        return found

    def _lineage(self, roots: Ids, past: datetime | None, until: datetime) -> dict[str, Any]:
        with asking(self.server):
            answer: dict[str, Any] = self._connect().chunkedgraph.get_lineage_graph(
                roots, timestamp_past=past, timestamp_future=until
            )
        self._check_told(roots, answer)
        return answer

    def _check_told(self, roots: Ids, answer: dict[str, Any]) -> None:
        """Refuse an answer that leaves out roots which exist: they would be taken for unknown ones."""
        told = np.array([int(node["id"]) for node in answer.get("nodes", ())], dtype=np.uint64)
        missing = roots[~np.isin(roots, told)]
        if len(missing) and self.exist(missing).any():
            check_count(self.server, len(roots) - len(missing), len(roots))

    def _known(self, roots: Ids, ask: Callable[[Ids], Answer]) -> Answer | None:
        """Ask about roots; if the server fails, ask again about those that exist, or give up if all of them do."""
        try:
            return ask(roots)
        except SourceError as error:
            if error.value != HTTPStatus.INTERNAL_SERVER_ERROR:
                raise
            known = roots[self.exist(roots)]
            if len(known) == len(roots):
                raise
        return ask(known) if len(known) else None
