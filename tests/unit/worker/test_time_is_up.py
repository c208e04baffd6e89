"""The time of a unit may be up while nothing of its items is running: while outcomes are being recorded, say."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from billiard.exceptions import SoftTimeLimitExceeded

from crant_core.errors import CrantError
from crant_core.jobs.model import Role
from worker.runner import Runner


def test_it_is_no_bug_of_the_items_that_are_open(monkeypatch: pytest.MonkeyPatch) -> None:
    # Their unit was given back as broken (`internal`), and ten innocent items failed with it.
    given: list[CrantError] = []
    unit = SimpleNamespace(
        id=1, role=Role.RUN, token="t", job=SimpleNamespace(id="j", kind="skeletonize", traceparent=None)
    )
    units: Any = SimpleNamespace(
        database=None, claim=lambda *_: unit, give_back=lambda _, error: given.append(error) or True
    )

    def interrupted(_: Runner, __: object) -> None:
        raise SoftTimeLimitExceeded

    monkeypatch.setattr(Runner, "_run", interrupted)
    units.note_cost = lambda *_, **__: None
    jobs: Any = SimpleNamespace(database=None)
    store: Any = None
    assert Runner(units, jobs, store, store).execute(1, "t", "w") == "time_limit"
    assert [error.code for error in given] == ["time_limit"]
