"""Two loops in the worker's main process: one keeps leases alive, one offers work.

They live in the main process because a child that runs compiled code may hold the interpreter for minutes, so that a
heartbeat in the child would starve and a healthy unit would be taken away. Every worker runs the dispatch loop, and
a row in the database makes one of them the leader: as long as any worker lives, work is offered.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable
from typing import Any

import structlog
from celery import bootsteps
from celery.worker import state
from kombu.exceptions import OperationalError as BrokerError

from crant_core.jobs.database import OUTAGE
from worker.dispatcher import Dispatcher
from worker.handover import Handover
from worker.idle import Idle
from worker.queue import CeleryQueue
from worker.runtime import current_runtime
from worker.schedules import StandIn
from worker.watch import Watch

log = structlog.get_logger()

#: held while a loop talks to the database: the pool must not fork in the middle of that, or the child would
#: inherit a locked lock that nobody can ever open
_no_fork = threading.Lock()
_LOOK_SECONDS = 1.0  #: between two looks at what has been cancelled
_GLANCE_SECONDS = 0.05  #: between two looks whether a process is free, which cost nothing
os.register_at_fork(before=_no_fork.acquire, after_in_parent=_no_fork.release, after_in_child=_no_fork.release)


def _end_worker() -> None:
    """Ask this worker to end when its units are done; whoever supervises it starts another one."""
    os.kill(os.getpid(), signal.SIGTERM)


class Loop(threading.Thread):
    """Does its turn again and again until stopped, early if that is wanted; outages are waited out.

    What else goes wrong ends the worker: a worker that offers no work, or keeps no leases, must not look alive.
    """

    def __init__(
        self,
        name: str,
        seconds: float,
        turn: Callable[[], object],
        give_up: Callable[[], None] = _end_worker,
        *,
        is_wanted: Callable[[], bool] | None = None,
    ) -> None:
        super().__init__(name=name, daemon=True)
        self.is_wanted = is_wanted
        self.give_up = give_up
        self.seconds = seconds
        self.turn = turn
        self.stopping = threading.Event()

    def run(self) -> None:
        """Turn until stopped."""
        while self._is_time():
            try:
                self.turn()
            except (*OUTAGE, BrokerError, OSError) as error:
                log.warning("outage", action="loop_waits", loop=self.name, error=str(error))
                self.stopping.wait(1.0)
            except Exception:
                log.exception("broken loop", action="worker_ends", loop=self.name)
                self.give_up()
                return

    def _is_time(self) -> bool:
        """Wait for the next turn; False if there is none."""
        if self.is_wanted is None:
            return not self.stopping.wait(self.seconds)
        end = time.monotonic() + self.seconds
        while (left := end - time.monotonic()) > 0:
            if self.stopping.wait(min(left, _GLANCE_SECONDS)):
                return False
            if self.is_wanted():
                return True
        return not self.stopping.is_set()

    def stop(self) -> None:
        """End after the current turn."""
        self.stopping.set()
        self.join(timeout=5)


class LeaseStep(bootsteps.StartStopStep):
    """Watches over the units this worker's children are doing."""

    requires = ("celery.worker.components:Pool",)

    def start(self, parent: Any) -> None:
        """Begin with the worker."""
        settings = parent.app.settings
        runtime, renew = current_runtime(settings), settings.lease_seconds / 3
        units = runtime.units
        watch = Watch(units, renew, settings.grace_seconds, _no_fork)
        self.handover = Handover(units, min(_LOOK_SECONDS, renew), settings.shutdown_seconds)

        def turn() -> None:
            watch.turn(_requests())
            runtime.counts.hand_on(_no_fork, at_once=False)

        self.loop = Loop("leases", min(_LOOK_SECONDS, renew), turn)
        self.loop.start()

    def stop(self, parent: Any) -> None:
        """Let units end that take no longer than they may, and give the others away. The pool ends after this."""
        self.loop.stop()
        self.handover.run(_requests())


def _requests() -> dict[str, int | None]:
    """Return what this worker's children are doing: tokens, and the process at each, once it has begun."""
    return {request.id: request.worker_pid for request in (*state.active_requests, *state.reserved_requests)}


class DispatchStep(bootsteps.StartStopStep):
    """Offers due units to the broker, while this worker is the leader."""

    requires = ("celery.worker.components:Pool",)

    def start(self, parent: Any) -> None:
        """Begin with the worker."""
        settings, holder = parent.app.settings, f"{parent.hostname}:{os.getpid()}"
        runtime, queue = current_runtime(settings), CeleryQueue(parent.app)
        self.dispatcher = Dispatcher(runtime.dispatch, queue, holder, guard=_no_fork, counts=runtime.counts)
        self.stand_in = StandIn(runtime.schedules, holder, settings.tick_seconds, _no_fork)
        idle = Idle(parent.pool.num_processes, queue.waiting)
        self.loop = Loop("dispatch", settings.poll_seconds, self._turn, is_wanted=idle)
        self.loop.start()

    def _turn(self) -> None:
        self.stand_in.turn()
        self.dispatcher.turn()

    def stop(self, parent: Any) -> None:
        """End with the worker, and leave the post to another one."""
        self.loop.stop()
        self.dispatcher.step_down()
