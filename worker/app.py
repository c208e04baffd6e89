"""Composes the Celery application. It carries hints and nothing else: no results, no chords, no retries, no delays.

A message names one unit and is acknowledged as soon as it arrives. Whether the unit is done, by whom, and how often it
was tried stands in the database, so losing or doubling messages changes nothing (docs/decisions/0002).
"""

from __future__ import annotations

from functools import partial
from typing import Any

from celery import Celery, Task
from celery.exceptions import TimeLimitExceeded, WorkerLostError
from celery.signals import setup_logging, task_failure, worker_process_init, worker_process_shutdown

from crant_core.errors import CrantError, Internal, TimeLimit, WorkerLost
from crant_core.jobs import tracing
from crant_core.jobs.logs import adopt_libraries, configure
from crant_core.jobs.model import Queue, Role
from crant_core.jobs.settings import Settings
from crant_core.kinds.registry import all_kinds
from worker.loops import DispatchStep, LeaseStep
from worker.memory import confine, keep_freed
from worker.queue import priorities, queues
from worker.runtime import Runtime, current_runtime

SWEEP_SECONDS = 600.0
NOTIFY_SECONDS, NOTIFY_LIMIT = 15.0, 240
_SWEEP, _TICK, _NOTIFY = "service.sweep", "service.tick", "service.notify"
_GRACE_SECONDS = 60  #: for a unit whose time is up, before its process is killed


def create_celery(settings: Settings) -> Celery:
    """Build the application with a task for each kind and role, so that Flower shows what is going on."""
    configure(settings)
    app = Celery("crant", broker=settings.broker_url)
    app.conf.update(_configuration(settings) | _memory(settings))
    app.settings = settings
    for kind in all_kinds().values():
        limits = {"soft_time_limit": kind.time_limit, "time_limit": kind.time_limit + _GRACE_SECONDS}
        for role in Role:
            app.task(name=f"{kind.name}.{role}", bind=True, **limits)(_execute)
    app.task(name=_SWEEP)(_sweep)
    app.task(name=_TICK, bind=True)(_tick)
    app.task(name=_NOTIFY, soft_time_limit=NOTIFY_LIMIT, time_limit=NOTIFY_LIMIT + 30)(_notify)
    app.steps["worker"].update({LeaseStep, DispatchStep})
    setup_logging.connect(partial(_set_up_logging, settings), weak=False)
    task_failure.connect(_give_back, weak=False)
    worker_process_init.connect(partial(_begin_process, settings), weak=False)
    worker_process_shutdown.connect(partial(_end_process, settings), weak=False)
    return app


def _configuration(settings: Settings) -> dict[str, Any]:
    first, _ = priorities(settings.broker_url)
    return {
        "task_ignore_result": True,  # results stand in the database
        "task_queues": queues(settings.broker_url),  # a worker serves all, or those that `-Q` names
        "task_default_queue": Queue.CPU.value,
        "task_serializer": "json",
        "accept_content": ["json"],
        "task_acks_late": False,  # a redelivered long task would run again and again; our leases cover crashes
        "worker_prefetch_multiplier": 1,
        "worker_disable_prefetch": True,  # a unit waits in the broker for any free worker, not in one worker's hands
        "task_track_started": True,  # for Flower
        "worker_send_task_events": True,
        "task_send_sent_event": False,  # each client process would become a "worker" in Flower's metrics
        "broker_connection_retry_on_startup": True,
        "broker_connection_max_retries": None,  # outlive any broker outage
        "broker_transport_options": {"visibility_timeout": 43200, "socket_timeout": 30, "socket_connect_timeout": 5},
        # Scientific libraries leak. But hints for what is done already are tasks too, and a new process costs seconds.
        "worker_max_tasks_per_child": 1000,
        "worker_proc_alive_timeout": 30,
        "worker_lost_wait": 1.0,  # a killed process's unit is given back soon: there is no result to wait for
        "worker_hijack_root_logger": False,
        "beat_scheduler": "worker.clock:NotedScheduler",
        "beat_schedule": {
            "sweep": _regularly(_SWEEP, SWEEP_SECONDS, first),
            "tick": _regularly(_TICK, settings.tick_seconds, first),
            "notify": _regularly(_NOTIFY, NOTIFY_SECONDS, first),
        },
    }


def _regularly(task: str, seconds: float, first: int) -> dict[str, Any]:
    """Describe what beat sends: to the front of the queue, and worthless once the next one is sent."""
    return {"task": task, "schedule": seconds, "options": {"expires": seconds, "priority": first}}


def _memory(settings: Settings) -> dict[str, Any]:
    """Replace processes that have grown, between two units; during one, `confine` bounds them."""
    most = settings.child_megabytes
    return {"worker_max_memory_per_child": most * 1024 // 2} if most else {}


def _execute(task: Task, unit_id: int) -> str:
    """Do one unit. The task's id is the token under which it holds the unit's lease."""
    runtime = _runtime(task)
    runtime.counts.keep_handing_on()
    return runtime.runner.execute(unit_id, task.request.id, task.request.hostname)


def _set_up_logging(settings: Settings, **_: Any) -> None:
    """Write Celery's lines as ours; that somebody hears this signal keeps Celery from doing it in its own way."""
    adopt_libraries(settings)


def _begin_process(settings: Settings, **_: Any) -> None:
    keep_freed()
    if settings.child_megabytes:
        confine(settings.child_megabytes)
    if settings.traces_endpoint:
        tracing.configure("crant-worker")


def _end_process(settings: Settings, **_: Any) -> None:
    current_runtime(settings).counts.hand_on()
    tracing.flush()


def _sweep() -> int:
    """Remove what died writers left in the artifact store."""
    from celery import current_app

    return current_runtime(current_app.settings).sweep()


def _tick(task: Task) -> int:
    """Make the jobs of schedules that are due."""
    return _runtime(task).schedules.look(task.request.hostname)


def _notify() -> int:
    """Tell people of jobs that have ended."""
    from celery import current_app

    return current_runtime(current_app.settings).notify()


def _runtime(task: Task) -> Runtime:
    return current_runtime(task.app.settings)


def _give_back(sender: Task, task_id: str, exception: BaseException, **_: Any) -> None:
    """Return the unit of a task that did not end by itself.

    For a process that was killed this runs in the worker's main process, within seconds of the death.
    """
    if sender.name.startswith("service."):
        return
    runtime, error = _runtime(sender), _explain(exception)
    if runtime.units.give_back(task_id, error):
        kind, _, role = sender.name.rpartition(".")
        runtime.counts.add("crant_units_total", kind=kind, role=role, outcome=error.code)


def _explain(exception: BaseException) -> CrantError:
    if isinstance(exception, TimeLimitExceeded):
        return TimeLimit(f"the process was ended after {exception.args[0]} s")
    if isinstance(exception, WorkerLostError):
        return WorkerLost(f"{exception}; often the machine ran out of memory")
    return Internal(f"{type(exception).__name__}: {exception}")
