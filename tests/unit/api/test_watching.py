"""Many people watch one job; whoever is cut off goes on from the last event they saw."""

from __future__ import annotations

import asyncio

import httpx
import pytest
from fastapi import FastAPI

from api.limits import RateLimit
from api.routes import events as events_module
from tests.engine import Engine
from tests.unit.api.conftest import Caller

STREAM = {"Accept": "text/event-stream"}


def numbers(text: str) -> list[int]:
    return [int(line.removeprefix("id: ")) for line in text.splitlines() if line.startswith("id: ")]


def test_a_hundred_watchers_see_every_event_once_and_are_let_go(
    live: str, app: FastAPI, alice: Caller, engine: Engine
) -> None:
    app.state.services.limits = RateLimit(0)
    job = engine.planned([str(n) for n in range(1, 11)])

    async def watch(client: httpx.AsyncClient) -> list[int]:
        answer = await client.get(f"{live}/v1/jobs/{job.id}/events", headers=alice.headers | STREAM)
        return numbers(answer.text)

    async def work() -> None:
        for _ in range(10):
            await asyncio.to_thread(engine.run_unit)
        await asyncio.to_thread(lambda: engine.units.complete_finish(engine.claimed(), []))

    async def everybody() -> list[list[int]]:
        limits = httpx.Limits(max_connections=120)
        async with httpx.AsyncClient(timeout=60, limits=limits) as client:
            watching = [asyncio.create_task(watch(client)) for _ in range(100)]
            await asyncio.sleep(0.5)
            await work()
            return await asyncio.gather(*watching)

    seen = asyncio.run(everybody())
    written = [event.id for event in engine.jobs.events(job.id)]
    assert len(written) > 12
    assert seen == [written] * 100


@pytest.mark.parametrize("how", ["header", "query"])
def test_watching_goes_on_from_the_last_event_seen(
    alice: Caller, engine: Engine, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    monkeypatch.setattr(events_module, "_PAUSE", 0.01)
    job = engine.planned(["1"])
    engine.run_unit()
    engine.units.complete_finish(engine.claimed(), [])
    path = f"/v1/jobs/{job.id}/events"
    every = numbers(alice("GET", path, headers=STREAM).text)
    last = every[2]
    if how == "header":
        rest = alice("GET", path, headers=STREAM | {"Last-Event-ID": str(last)})
    else:
        rest = alice("GET", f"{path}?after={last}", headers=STREAM)
    assert numbers(rest.text) == every[3:]
    after_the_end = alice("GET", path, headers=STREAM | {"Last-Event-ID": str(every[-1])})
    assert numbers(after_the_end.text) == []
