"""The queue port on Celery: offers units by task name."""

from __future__ import annotations

import secrets

from celery import Celery
from kombu.exceptions import OperationalError

from crant_core.jobs.repository.dispatch import DueUnit

_FIRST, _LATER = 0, 6  #: Redis keeps a list for each priority, and reads that of 0 first


class CeleryQueue:
    """Sends one message for each unit offered.

    The message's id becomes the token of the attempt. It begins with the job's id, so that Flower finds a job's tasks.
    """

    def __init__(self, app: Celery) -> None:
        self.app = app

    def send(self, unit: DueUnit) -> None:
        """Offer one unit, also of a kind that only a newer release knows: limits are set by who does it."""
        self.app.send_task(
            f"{unit.kind}.{unit.role}",
            args=[unit.id],
            task_id=f"{unit.job_id}-{unit.role}-{unit.position}-{secrets.token_hex(4)}",
            argsrepr=f"job {unit.job_id}, unit {unit.position}",
            queue=unit.queue,
            headers={"traceparent": unit.traceparent} if unit.traceparent else {},
            priority=_FIRST if unit.urgent else _LATER,
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
                    return sum(channel.queue_declare(queue=name).message_count for name in self.app.amqp.queues)
            except (*connection.connection_errors, *connection.channel_errors) as error:
                raise OperationalError(str(error)) from error
