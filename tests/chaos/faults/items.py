"""Neurons that harm the process that works on them."""

from __future__ import annotations

from tests.chaos.faults.base import Fault

_GUILTY = 77
_LIMITS = {"CHAOS_TIME_LIMIT": "5", "CHAOS_GRACE": "1"}

FAULTS = [
    Fault(
        name="hungry",
        what="a neuron takes all memory (RLIMIT_AS)",
        parameters={"hungry": [_GUILTY]},
        settings={"CHAOS_MEMORY": str(300 * 2**20)},
        failing={_GUILTY: "needs_memory|internal"},
    ),
    Fault(
        name="segfaulting",
        what="a neuron crashes its process (SIGSEGV)",
        parameters={"segfaulting": [_GUILTY]},
        failing={_GUILTY: "quarantined"},
        kills=True,
    ),
    Fault(
        name="endless",
        what="a neuron never ends",
        parameters={"endless": [_GUILTY], "seconds": 0.005},
        settings=_LIMITS,
        failing={_GUILTY: "time_limit"},
        kills=True,
    ),
    Fault(
        name="deaf",
        what="a neuron never ends, and cannot be interrupted",
        parameters={"deaf": [_GUILTY], "seconds": 0.005},
        settings=_LIMITS,
        failing={_GUILTY: "time_limit"},
        kills=True,
    ),
]
