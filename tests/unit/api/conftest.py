from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from api.main import create_app
from crant_core.datasets import Dataset
from crant_core.jobs.database import Database
from crant_core.jobs.model import Scope
from crant_core.jobs.settings import Settings
from tests.engine import Engine

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
    )
    app = create_app(settings)
    yield app
    app.state.services.close()


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
