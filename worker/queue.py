"""The queue port on Celery: offers units by task name."""

from __future__ import annotations

import secrets
from typing import Any

import kombu
from celery import Celery
from kombu.exceptions import OperationalError

from crant_core.jobs.model import Queue
from crant_core.jobs.repository.dispatch import DueUnit

_HIGHEST = 9
_FIRST_AND_LATER = {
    True: (_HIGHEST, 3),
    False: (0, 6),
}  #: RabbitMQ; Redis keeps a list for each, and reads that of 0 first


def queues(broker_url: str) -> list[kombu.Queue]:
    """Return the queues as the broker has them: RabbitMQ must be told that messages may have priorities."""
    arguments = {"x-max-priority": _HIGHEST} if _is_rabbitmq(broker_url) else None
    return [kombu.Queue(name.value, queue_arguments=arguments) for name in Queue]


def priorities(broker_url: str) -> tuple[int, int]:
    """Return the priority of what goes first, and of all else; RabbitMQ counts the other way round than Redis."""
    return _FIRST_AND_LATER[_is_rabbitmq(broker_url)]


def _is_rabbitmq(broker_url: str) -> bool:
    return broker_url.startswith(("amqp:", "amqps:", "pyamqp:"))


class CeleryQueue:
    """Sends one message for each unit offered.

    The message's id becomes the token of the attempt. It begins with the job's id, so that Flower finds a job's tasks.
    """

    def __init__(self, app: Celery) -> None:
        self.app = app
        self._first, self._later = priorities(app.conf.broker_url)

    def send(self, unit: DueUnit) -> None:
        """Offer one unit, also of a kind that only a newer release knows: limits are set by who does it."""
        self.app.send_task(
            f"{unit.kind}.{unit.role}",
            args=[unit.id],
            task_id=f"{unit.job_id}-{unit.role}-{unit.position}-{secrets.token_hex(4)}",
            argsrepr=f"job {unit.job_id}, unit {unit.position}",
            queue=unit.queue,
            headers={"traceparent": unit.traceparent} if unit.traceparent else {},
            priority=self._first if unit.urgent else self._later,
            retry=False,  # the offer is made again anyhow
        )

    def waiting(self) -> int:
        """Count the messages that no worker has taken yet.

        A connection from the pool would try for ever while the broker is away, and who asks has other things to do.

        Raises
        ------
        kombu.exceptions.OperationalError
            If the broker cannot be reached.
        """
        with self.app.connection_for_write() as connection:
            try:
                with connection.channel() as channel:
                    return sum(_messages(queue, channel) for queue in self.app.amqp.queues.values())
            except (*connection.connection_errors, *connection.channel_errors) as error:
                raise OperationalError(str(error)) from error


def _messages(queue: kombu.Queue, channel: Any) -> int:
    """Count a queue's messages by declaring it just as workers do, as RabbitMQ refuses who declares it otherwise."""
    found: list[int] = []
    declared = queue.bind(channel)
    declared.on_declared = lambda _name, messages, _consumers: found.append(messages)
    declared.queue_declare()
    return found[0]
