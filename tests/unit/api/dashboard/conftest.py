from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import select

from api.deps import COOKIE
from crant_core.errors import CrantError
from crant_core.jobs.model import Role, Scope
from crant_core.jobs.repository.cutting import cut
from crant_core.jobs.repository.planning import NewItem
from crant_core.jobs.repository.recording import Outcome, StoredFile
from crant_core.jobs.repository.units import ClaimedUnit
from crant_core.jobs.tables import ItemRow, JobRow, UnitRow
from tests.engine import Engine, an_outcome

PNG = b"\x89PNG\r\n\x1a\n not really"
SITE = "http://crant.test"


class Browser:
    """Somebody at a browser: it keeps cookies and follows no redirect unseen."""

    def __init__(self, app: FastAPI, token: str | None = None, site: str = SITE) -> None:
        self.app = app
        self.site = site
        self.cookies = httpx.Cookies({COOKIE: token} if token else {})

    def get(self, path: str, **kwargs: Any) -> httpx.Response:
        return self("GET", path, **kwargs)

    def __call__(self, method: str, path: str, **kwargs: Any) -> httpx.Response:
        return asyncio.run(self._call(method, path, kwargs))

    async def _call(self, method: str, path: str, kwargs: dict[str, Any]) -> httpx.Response:
        transport = httpx.ASGITransport(self.app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url=self.site, cookies=self.cookies) as client:
            response = await client.request(method, path, **kwargs)
            self.cookies = client.cookies
            return response


class Lab:
    """Jobs in every state, made by the engine as workers make them."""

    def __init__(self, app: FastAPI) -> None:
        self.app = app
        self.engine = Engine(app.state.services.database)
        self.store = app.state.services.store

    def planned(self, keys: Iterable[str], **fields: Any) -> JobRow:
        """A job that runs: one unit with these items."""
        job = self.engine.submit(**fields)
        items = [NewItem(key=key, metrics={"is_latest": True}) for key in keys]
        self.engine.plan(self.claim(job, Role.PLAN), items, 1000)
        return job

    def run(self, job: JobRow, metrics: dict[str, Any] | None = None, **errors: CrantError) -> None:
        """Do all items; those named in errors (as k<key>) fail."""
        unit = self.claim(job, Role.RUN)
        self.engine.units.complete_run(unit, [self.outcome(i, metrics, errors.get(f"k{i.key}")) for i in unit.items])

    def outcome(self, item: ItemRow, metrics: dict[str, Any] | None, error: CrantError | None) -> Outcome:
        if error:
            item.attempts = 100  # so that errors that may pass are final too
            return an_outcome(item, error, seconds=0.5)
        files = [self.file(f"{item.key}.swc", b"swc " + item.key.encode())]
        return an_outcome(item, metrics=metrics or {"cable_length_um": 1234.56}, files=files, seconds=12.25)

    def finish(self, job: JobRow) -> None:
        """End the job with a picture and a manifest."""
        files = [self.file("skeletons.png", PNG, "image/png"), self.file("manifest.json", b"{}", "application/json")]
        self.engine.units.complete_finish(self.claim(job, Role.FINISH), files)

    def done(self, keys: Iterable[str], **fields: Any) -> JobRow:
        """A job that succeeded."""
        job = self.planned(keys, **fields)
        self.run(job)
        self.finish(job)
        return job

    def broken(self, error: CrantError, **fields: Any) -> JobRow:
        """A job that could not be planned."""
        job = self.engine.submit(**fields)
        self.engine.units.give_back(self.claim(job, Role.PLAN).token, error)
        return job

    def claim(self, job: JobRow, role: Role) -> ClaimedUnit:
        cut(self.engine.database, job.id, 1)
        query = select(UnitRow.id).where(UnitRow.job_id == job.id, UnitRow.role == role)
        with self.engine.database.reading() as session:
            unit_id = session.scalars(query).one()
        unit = self.engine.units.claim(unit_id, f"{job.id}-{role}", "worker")
        assert unit is not None
        return unit

    def file(self, name: str, data: bytes, media_type: str = "text/plain") -> StoredFile:
        return StoredFile(name=name, media_type=media_type, size=len(data), sha256=self.store.put(data), meta={})


@pytest.fixture
def lab(app: FastAPI) -> Lab:
    return Lab(app)


def browser_of(app: FastAPI, owner: str, *scopes: Scope) -> Browser:
    return Browser(app, app.state.services.tokens.create(owner, scopes))


@pytest.fixture
def stranger(app: FastAPI) -> Browser:
    return Browser(app)


@pytest.fixture
def alice(app: FastAPI) -> Browser:
    return browser_of(app, "alice", Scope.READ)


@pytest.fixture
def bob(app: FastAPI) -> Browser:
    return browser_of(app, "bob", Scope.READ)


@pytest.fixture
def admin(app: FastAPI) -> Browser:
    return browser_of(app, "root", Scope.READ, Scope.ADMIN)
