from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn
from fastapi import FastAPI

from api.main import create_app
from crant_core.datasets import Dataset
from crant_core.jobs.database import Database
from crant_core.jobs.model import Role, Scope
from crant_core.jobs.repository.planning import NewItem
from crant_core.jobs.repository.recording import StoredFile
from crant_core.jobs.settings import Settings
from crant_core.jobs.tables import JobRow
from crant_core.kinds.addresses import addresses
from crant_core.kinds.registry import get_kind
from crant_core.kinds.skeletonize.spec import SkeletonizeOptions
from tests.engine import NOON, Engine, an_outcome

DEMO = Dataset(name="demo", datastack="crant_demo", server="http://127.0.0.1:1", viewer_resolution=(8, 8, 42))


class Caller:
    """Somebody with a token who calls the application, in this process but over its real HTTP surface."""

    def __init__(self, app: FastAPI, token: str | None) -> None:
        self.app = app
        self.headers = {"Authorization": f"Bearer {token}"} if token else {}

    def __call__(self, method: str, path: str, **kwargs: Any) -> httpx.Response:
        return asyncio.run(self._call(method, path, kwargs))

    async def _call(self, method: str, path: str, kwargs: dict[str, Any]) -> httpx.Response:
        async with self.client() as client:
            headers = self.headers | kwargs.pop("headers", {})
            return await client.request(method, path, headers=headers, **kwargs)

    @asynccontextmanager
    async def client(self) -> AsyncIterator[httpx.AsyncClient]:
        transport = httpx.ASGITransport(self.app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://crant.test") as client:
            yield client

    def submit(self, *ids: object, **body: Any) -> httpx.Response:
        headers = body.pop("headers", {})
        params = {"ids": list(ids)} | body.pop("params", {})
        request = {"kind": "skeletonize", "dataset": "demo", "params": params} | body
        return self("POST", "/v1/jobs", headers=headers, json=request)


@pytest.fixture
def app(sqlite: Database, sqlite_url: str, tmp_path: Path) -> Iterator[FastAPI]:
    settings = Settings(
        database_url=sqlite_url,
        broker_url="memory://",
        artifacts_url=f"file://{tmp_path}/artifacts",
        datasets=[DEMO],
        flower_url="http://flower.test",
        log_level="CRITICAL",
        body_seconds=2,
    )
    app = create_app(settings)
    yield app
    app.state.services.close()


@pytest.fixture
def live(app: FastAPI) -> Iterator[str]:
    """Address of the application behind a real server, for clients that speak HTTP only."""
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="critical", lifespan="off"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        assert thread.is_alive()
        time.sleep(0.01)
    yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    server.should_exit = True
    thread.join(10)


@pytest.fixture
def engine(app: FastAPI) -> Engine:
    return Engine(app.state.services.database)


@pytest.fixture
def alice(app: FastAPI) -> Caller:
    return caller(app, "alice", Scope.READ, Scope.SUBMIT)


@pytest.fixture
def bob(app: FastAPI) -> Caller:
    return caller(app, "bob", Scope.READ, Scope.SUBMIT)


def caller(app: FastAPI, owner: str, *scopes: Scope) -> Caller:
    return Caller(app, app.state.services.tokens.create(owner, scopes))


def stored(app: FastAPI, name: str, data: bytes, media_type: str = "text/plain") -> StoredFile:
    """Store bytes as a worker does."""
    sha256 = app.state.services.store.put(data)
    return StoredFile(name=name, media_type=media_type, size=len(data), sha256=sha256, meta={})


def skeletonized(app: FastAPI, engine: Engine, files: dict[str, dict[str, bytes]], **fields: Any) -> JobRow:
    """Do a job of skeletons to its end: for each root the files by format."""
    options = SkeletonizeOptions(formats=sorted({form for found in files.values() for form in found}))
    given = {
        "ids": [int(root) for root in files],
        "parameters": options.model_dump(mode="json"),
        "code_version": 3,
        "reuse": False,
    }
    job = engine.submit(**given | fields)
    kind, services = get_kind("skeletonize"), app.state.services
    address = addresses(kind, services.dataset(job.dataset), job.parameters, NOON)
    engine.plan(engine.claim_plan(job), [NewItem(key=root, address=address(root)) for root in files], len(files))
    unit = engine.claim_run(job)
    outcomes = [
        an_outcome(item, files=[stored(app, f"{item.key}.{form}", data) for form, data in files[item.key].items()])
        for item in unit.items
    ]
    engine.units.complete_run(unit, outcomes)
    engine.units.complete_finish(engine._claim(job, Role.FINISH), [])
    return engine.see(job)
