"""Does the items of one unit: one that fails fails alone, and files are stored while the next item is worked on."""

from __future__ import annotations

import time
import traceback
from concurrent.futures import Future
from functools import partial
from types import ModuleType, TracebackType
from typing import Self

import structlog
from billiard.exceptions import SoftTimeLimitExceeded

from crant_core.errors import Internal, LeaseLost
from crant_core.jobs.artifacts import ArtifactStore
from crant_core.jobs.counting import Tally
from crant_core.jobs.logs import in_hand
from crant_core.jobs.model import Queue
from crant_core.jobs.repository.recording import Outcome
from crant_core.jobs.repository.units import ClaimedUnit
from crant_core.jobs.tables import ItemRow
from crant_core.jobs.tracing import span
from crant_core.kinds.base import Context, ItemResult
from worker.problems import explained
from worker.storing import Storing, ended, store_file

log = structlog.get_logger()


class Items:
    """The items of one unit; leaving it waits for files that are on their way.

    Parameters
    ----------
    unit : ClaimedUnit
    module : module
        The kind's science.
    context : Context
        Prepared, if the kind prepares items.
    store : ArtifactStore
    counts : Tally
    """

    def __init__(
        self, unit: ClaimedUnit, module: ModuleType, context: Context, store: ArtifactStore, counts: Tally
    ) -> None:
        self.unit, self.module, self.context, self.store, self.counts = unit, module, context, store, counts
        self._storing = Storing()

    def __enter__(self) -> Self:
        """Begin."""
        self._storing.__enter__()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Wait."""
        self._storing.__exit__(kind, error, at)

    def run(self, item: ItemRow) -> Future[Outcome]:
        """Do one item, and let its files be stored; an error that may pass leaves it open.

        Raises
        ------
        TimeLimit
            The time of the unit is up. Whether this item took it, or the others before it, nobody knows.
        LeaseLost
            Nobody wants the result any more.
        """
        began = time.perf_counter()
        try:
            with in_hand(item=item.key), span("item", item=item.key):
                result: ItemResult = self.module.run(self.context, item.key)
                stored = partial(self._stored, item, result, time.perf_counter() - began)
                return self._storing.later(result.files, stored)
        except (SoftTimeLimitExceeded, LeaseLost) as error:
            raise explained(error) from error
        except Exception as error:  # noqa: BLE001 - stored with the item; the others go on
            return ended(self._failed(item, error, time.perf_counter() - began))

    def _stored(self, item: ItemRow, result: ItemResult, seconds: float) -> Outcome:
        """Store an item's files, and say how long that took; nothing of an item without files."""
        began = time.perf_counter()
        try:
            files = [store_file(self.store, file) for file in result.files]
        except (SoftTimeLimitExceeded, LeaseLost):
            raise
        except Exception as error:  # noqa: BLE001 - as above
            return self._failed(item, error, seconds + time.perf_counter() - began)
        took = time.perf_counter() - began if files else 0.0
        metrics = result.metrics | ({"storage_seconds": took} if files else {})
        return self._counted(Outcome(item=item, seconds=seconds + took, metrics=metrics, files=files))

    def _failed(self, item: ItemRow, error: Exception, seconds: float) -> Outcome:
        problem, trace = explained(error), "".join(traceback.format_exception(error))
        if isinstance(error, MemoryError) and self.unit.queue is Queue.HEAVY:
            problem = Internal(f"{problem.message}, and there is nowhere more of it")
        log.warning("item failed", action="item_failed", item=item.key, code=problem.code, error=str(problem))
        return self._counted(Outcome(item=item, seconds=seconds, error=problem, traceback=trace))

    def _counted(self, outcome: Outcome) -> Outcome:
        kind, state = self.unit.job.kind, outcome.state if outcome.is_final else "postponed"
        self.counts.add("crant_items_total", kind=kind, state=state)
        self.counts.observe("crant_item_seconds", outcome.seconds, kind=kind)
        if outcome.error is not None:
            self.counts.add("crant_item_errors_total", kind=kind, code=outcome.error.code)
        return outcome
