"""Work is looked for early when a process has become free and finds nothing to do."""

from __future__ import annotations

from threading import Event

import pytest
from kombu.exceptions import OperationalError as BrokerError

from worker.idle import Doing, Idle
from worker.loops import Loop


class Worker:
    """A worker of two processes that a test makes busy."""

    def __init__(self) -> None:
        self.ended = self.held = self.line = 0
        self.idle = Idle(2, self.waiting, lambda: Doing(self.ended, self.held))

    def waiting(self) -> int:
        if self.line < 0:
            raise BrokerError("away")
        return self.line


@pytest.fixture
def worker() -> Worker:
    return Worker()


def test_one_that_never_did_anything_waits_for_its_turn(worker: Worker) -> None:
    assert not worker.idle()


def test_what_ends_is_noticed_once(worker: Worker) -> None:
    worker.ended, worker.held = 1, 1
    assert [worker.idle(), worker.idle()] == [True, False]
    worker.ended = 2
    assert worker.idle()


def test_a_process_that_has_the_next_unit_is_not_free(worker: Worker) -> None:
    worker.ended, worker.held = 1, 2
    assert not worker.idle()
    worker.held = 1
    assert worker.idle(), "now it is"


@pytest.mark.parametrize("line", [1, -1], ids=["something waits", "the broker is away"])
def test_it_is_left_to_the_next_turn(worker: Worker, line: int) -> None:
    worker.ended, worker.line = 1, line
    assert not worker.idle()


def test_a_loop_turns_early_when_it_is_wanted() -> None:
    turned, is_wanted = Event(), Event()
    loop = Loop("test", 3600.0, turned.set, is_wanted=is_wanted.is_set)
    loop.start()
    assert not turned.wait(0.1), "it is not time"
    is_wanted.set()
    assert turned.wait(30)
    loop.stop()
    assert not loop.is_alive()
