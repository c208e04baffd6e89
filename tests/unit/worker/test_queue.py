"""What is sent to brokers, and how their queues are declared: RabbitMQ refuses two declarations that differ."""

from __future__ import annotations

import socket
from types import SimpleNamespace
from typing import Any
from unittest.mock import Mock

import pytest
from kombu.exceptions import OperationalError

from crant_core.jobs.model import Queue
from crant_core.jobs.settings import Settings
from worker.app import create_celery
from worker.queue import CeleryQueue, priorities

REDIS, RABBITMQ = "redis://127.0.0.1:1/0", "amqp://127.0.0.1:1//"


def made(broker: str) -> Any:
    return create_celery(Settings(database_url="sqlite://", broker_url=broker, artifacts_url="mem://artifacts"))


class Broker:
    """A connection whose channel notes how queues are declared."""

    connection_errors, channel_errors = (ConnectionError,), (KeyError,)

    def __init__(self) -> None:
        self.declared: list[dict[str, Any]] = []
        self.client = Mock()
        self.client.prepare_queue_arguments = lambda arguments, **_: arguments
        self.client.queue_declare = self._declare
        self.client.__enter__ = lambda channel: channel
        self.client.__exit__ = Mock(return_value=None)

    def _declare(self, **how: Any) -> tuple[str, int, int]:
        self.declared.append(how)
        return how["queue"], 7, 1

    def channel(self) -> Any:
        return self.client

    def __enter__(self) -> Broker:
        return self

    def __exit__(self, *_: object) -> None:
        pass


@pytest.mark.parametrize("url", [REDIS, RABBITMQ])
def test_who_counts_messages_declares_queues_as_workers_do(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    app, broker = made(url), Broker()
    monkeypatch.setattr(app, "connection_for_write", lambda: broker)
    assert CeleryQueue(app).waiting() == 7 * len(Queue)
    counted, broker.declared = broker.declared, []
    for queue in app.amqp.queues.values():
        queue.bind(broker.client).queue_declare()  # as a consumer does
    assert counted == broker.declared
    assert {(how["durable"], how["auto_delete"]) for how in counted} == {(True, False)}


@pytest.mark.parametrize("url", [REDIS, RABBITMQ])
def test_a_broker_that_is_away_is_an_error_and_nothing_to_wait_for(url: str) -> None:
    with pytest.raises(OperationalError):
        CeleryQueue(made(url)).waiting()


@pytest.mark.parametrize("scheme", ["redis", "amqp"])
def test_a_broker_that_accepts_and_never_answers_is_given_up(scheme: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as frozen:
        app = made(f"{scheme}://127.0.0.1:{frozen.getsockname()[1]}/0")
        bounds = app.conf.broker_transport_options
        assert (bounds["socket_timeout"], bounds["socket_connect_timeout"]) == (30, 5)
        app.conf.broker_transport_options = bounds | {"socket_timeout": 0.2}
        app.conf.broker_connection_timeout = 0.2  # of RabbitMQ's client: four seconds else
        with pytest.raises(OperationalError):
            CeleryQueue(app).waiting()


def test_rabbitmqs_queues_have_priorities_and_its_highest_goes_first() -> None:
    app = made(RABBITMQ)
    limits = {queue.queue_arguments["x-max-priority"] for queue in app.amqp.queues.values()}
    first, later = priorities(RABBITMQ)
    assert limits == {first}
    assert first > later
    assert {entry["options"]["priority"] for entry in app.conf.beat_schedule.values()} == {first}


def test_redis_reads_the_list_of_the_lowest_priority_first() -> None:
    first, later = priorities(REDIS)
    assert first == 0 < later
    assert {queue.queue_arguments for queue in made(REDIS).amqp.queues.values()} == {None}


@pytest.mark.parametrize("url", [REDIS, RABBITMQ])
def test_urgent_units_are_sent_to_go_first(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    app, sent = made(url), []
    monkeypatch.setattr(app, "send_task", lambda *_, priority, **__: sent.append(priority))
    unit = SimpleNamespace(kind="toy", role="run", id=1, job_id="j", position=0, queue="cpu", traceparent=None)
    for urgent in (True, False):
        CeleryQueue(app).send(SimpleNamespace(**vars(unit), urgent=urgent))  # type: ignore[arg-type]
    assert tuple(sent) == priorities(url)
