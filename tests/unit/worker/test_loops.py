"""The worker's loops: what is waited out, and what ends the worker."""

from __future__ import annotations

from collections.abc import Callable
from threading import Event

import pytest
from kombu.exceptions import OperationalError as BrokerError

from worker.loops import Loop


def run(turns: list[Callable[[], None]]) -> tuple[int, bool]:
    """Run a loop until its turns are used up; return how many were taken, and whether the worker was given up."""
    taken, gave_up, used_up = 0, Event(), Event()

    def turn() -> None:
        nonlocal taken
        if taken == len(turns):
            used_up.set()
            return
        taken += 1
        turns[taken - 1]()

    loop = Loop("test", 0.001, turn, gave_up.set)
    loop.start()
    while loop.is_alive() and not used_up.wait(0.01):
        pass
    loop.stop()
    return taken, gave_up.is_set()


def failing(error: Exception) -> Callable[[], None]:
    def turn() -> None:
        raise error

    return turn


@pytest.mark.parametrize("outage", [BrokerError("gone"), ConnectionResetError()])
def test_an_outage_is_waited_out(outage: Exception) -> None:
    assert run([failing(outage), lambda: None]) == (2, False)


def test_a_loop_that_breaks_takes_the_worker_with_it() -> None:
    assert run([lambda: None, failing(IndexError("list index out of range")), lambda: None]) == (2, True)
