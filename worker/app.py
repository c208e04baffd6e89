"""Composes the Celery application. It carries hints and nothing else: no results, no chords, no retries, no delays.

A message names one unit and is acknowledged as soon as it arrives. Whether the unit is done, by whom, and how often it
was tried stands in the database, so losing or doubling messages changes nothing (docs/decisions/0002).
"""

from __future__ import annotations

from typing import Any

from celery import Celery, Task
from celery.exceptions import TimeLimitExceeded, WorkerLostError
from celery.signals import task_failure

from crant_core.errors import CrantError, Internal, TimeLimit, WorkerLost
from crant_core.jobs.logs import configure
from crant_core.jobs.model import Role
from crant_core.jobs.settings import Settings
from crant_core.kinds.registry import all_kinds
from worker.loops import DispatchStep, LeaseStep
from worker.runtime import Runtime, current_runtime

SWEEP_SECONDS = 600.0


def create_celery(settings: Settings) -> Celery:
    """Build the application with a task for each kind and role, so that Flower shows what is going on."""
    configure(settings)
    app = Celery("crant", broker=settings.broker_url)
    app.conf.update(_configuration())
    app.settings = settings
    for kind in all_kinds():
        for role in Role:
            app.task(name=f"{kind}.{role}", bind=True)(_execute)
    app.task(name="service.sweep")(_sweep)
    app.steps["worker"].update({LeaseStep, DispatchStep})
    task_failure.connect(_give_back, weak=False)
    return app


def _configuration() -> dict[str, Any]:
    return {
        "task_ignore_result": True,  # results stand in the database
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
        "beat_schedule": {
            "sweep": {"task": "service.sweep", "schedule": SWEEP_SECONDS, "options": {"expires": SWEEP_SECONDS}}
        },
    }


def _execute(task: Task, unit_id: int) -> str:
    """Do one unit. The task's id is the token under which it holds the unit's lease."""
    return _runtime(task).runner.execute(unit_id, task.request.id, task.request.hostname)


def _sweep() -> int:
    """Remove what died writers left in the artifact store."""
    from celery import current_app

    return current_runtime(current_app.settings).sweep()


def _runtime(task: Task) -> Runtime:
    return current_runtime(task.app.settings)


def _give_back(sender: Task, task_id: str, exception: BaseException, **_: Any) -> None:
    """Return the unit of a task that did not end by itself.

    For a process that was killed this runs in the worker's main process, within seconds of the death.
    """
    if sender.name != "service.sweep":
        _runtime(sender).units.give_back(task_id, _explain(exception))


def _explain(exception: BaseException) -> CrantError:
    if isinstance(exception, TimeLimitExceeded):
        return TimeLimit(f"the process was ended after {exception.args[0]} s")
    if isinstance(exception, WorkerLostError):
        return WorkerLost(f"{exception}; often the machine ran out of memory")
    return Internal(f"{type(exception).__name__}: {exception}")
