"""The service from Python: submit, wait, fetch.

    from crant_core.client import Crant

    job = Crant().submit("skeletonize", dataset="demo", ids=[576460754037774276])
    job.wait()
    job.fetch("results/")
    job.skeletons()  # a navis.NeuronList
    job.table("neurons")  # a pandas.DataFrame

The address and token come from `CRANT_URL` and `CRANT_TOKEN`, else from the stack that `crant up` started here.
"""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any, Protocol, Self, TypeVar
from urllib.parse import quote

import httpx

from crant_core.answers import PatientClient, ServiceProblem, ServiceUnreachable, check, unreachable
from crant_core.errors import NotFound
from crant_core.job import Job
from crant_core.jobs.wire import (
    DatasetView,
    EstimateView,
    Identity,
    JobPage,
    JobView,
    KindView,
)
from crant_core.running import data_folder, stack_folder
from crant_core.schedules import Schedules
from crant_core.submission import NDJSON, body_of, lines_of

__all__ = ["Crant", "Job", "ServiceProblem", "ServiceUnreachable", "data_folder", "stack_folder"]

_TIMEOUT = httpx.Timeout(30.0, read=60.0)


class _Page(Protocol):
    """A part of a list, and where the next one is."""

    @property
    def next(self) -> str | None: ...

    @classmethod
    def model_validate(cls, obj: Any, /) -> Self: ...


_AnyPage = TypeVar("_AnyPage", bound=_Page)


class Crant:
    """A connection to the service.

    Parameters
    ----------
    url, token : str, optional
        Address and token; by default from the environment, else from the running stack's `client.json`.

    Raises
    ------
    NotFound
        There is neither.
    """

    def __init__(self, url: str | None = None, token: str | None = None) -> None:
        url, token = url or os.environ.get("CRANT_URL"), token or os.environ.get("CRANT_TOKEN")
        if not (url and token):
            found = _running_stack()
            url, token = url or found["url"], token or found["token"]
        self.http = PatientClient(base_url=url, headers={"Authorization": f"Bearer {token}"}, timeout=_TIMEOUT)

    def submit(
        self,
        kind: str,
        *,
        dataset: str,
        ids: Iterable[int | str] = (),
        at: str | int = "live",
        label: str = "",
        priority: int = 0,
        reuse: bool = True,
        deadline: datetime | None = None,
        after: Iterable[str] = (),
        notify: Iterable[Mapping[str, Any]] = (),
        **params: Any,
    ) -> Job:
        """Submit a job.

        Parameters
        ----------
        kind, dataset : str
            See `kinds` and `datasets`.
        ids : iterable of int or str
            What to work on, any number. Few kinds do without: those on another job's results take that one's. A list
            that was uploaded before is named with `input=`.
        at : str or int
            Point in time: "live", "mat", a version, or an ISO 8601 time.
        label : str
            A name for people.
        priority : int
            Higher goes first among one's own jobs, -10 to 10.
        reuse : bool
            Take results that exist; False computes everything again.
        deadline : datetime, optional
            When the job is stopped, and fails, if it has not ended; with a time zone.
        after : iterable of str
            Ids of jobs that must be done first; if one of them fails, so does this one.
        notify : iterable of mapping
            Who is told when it has ended: `url` as Apprise writes it, `on` (of finish, failure, changed).
        **params
            The kind's own parameters.

        Raises
        ------
        InvalidParameters
            What was chosen is of no use, such as a deadline without a time zone; nothing was sent.
        ServiceProblem
            The service did not accept it; nothing was stored.
        """
        chosen = {"label": label, "priority": priority, "reuse": reuse, "deadline": deadline, "after": [*after]}
        request = body_of(kind, dataset, ids, params, self._stored, at=at, **chosen, notify=[*notify])
        key = {"Idempotency-Key": secrets.token_hex(16)}  # a request sent again after a lost answer is the same job
        return Job(self, JobView.model_validate(self._send("POST", "/v1/jobs", json=request, headers=key)))

    def estimate(
        self,
        kind: str,
        *,
        dataset: str,
        ids: Iterable[int | str] = (),
        at: str | int = "live",
        reuse: bool = True,
        **params: Any,
    ) -> EstimateView:
        """Say what a job would be, without submitting it.

        Parameters
        ----------
        kind, dataset, ids, at, reuse, **params
            As in `submit`.

        Raises
        ------
        ServiceProblem
            The service would not accept it.
        """
        request = body_of(kind, dataset, ids, params, self._stored, at=at, reuse=reuse)
        answer = self._send("POST", "/v1/jobs", params={"dry_run": True}, json=request)
        return EstimateView.model_validate(answer)

    def upload(self, ids: Iterable[int | str]) -> str:
        """Store a list of ids and return its name: the parameter `input` of any number of jobs.

        `submit` and `estimate` do this by themselves with lists that are longer than a request's may be.

        Raises
        ------
        ServiceProblem
            One of them is no id: integers and decimal strings are; floats have lost digits already.
        """
        return self._stored(lines_of(ids))

    def _stored(self, lines: bytes) -> str:
        return str(self._send("POST", "/v1/inputs", content=lines, headers={"Content-Type": NDJSON})["id"])

    def job(self, job_id: str) -> Job:
        """Return a job by its id."""
        return Job(self, JobView.model_validate(self._send("GET", f"/v1/jobs/{quote(job_id, safe='')}")))

    def jobs(self, limit: int = 50, state: str | None = None, parent: str | None = None) -> list[JobView]:
        """List jobs, newest first; of a `parent`, its steps."""
        wanted = {"limit": limit} | ({"state": state} if state else {}) | ({"parent": parent} if parent else {})
        return JobPage.model_validate(self._send("GET", "/v1/jobs", params=wanted)).jobs

    @property
    def schedules(self) -> Schedules:
        """Jobs that are made again and again."""
        return Schedules(self)

    def diff(self, before: str, after: str, *, shown: int = 50) -> dict[str, Any]:
        """Say what changed between two refreshes; of each sort of change so many at most."""
        path = "/v1/jobs/{}/diff/{}".format(*(quote(one, safe="") for one in (before, after)))
        return dict(self._send("GET", path, params={"shown": shown}))

    def kinds(self) -> list[KindView]:
        """List the kinds of jobs."""
        return [KindView.model_validate(kind) for kind in self._send("GET", "/v1/kinds")]

    def datasets(self) -> list[DatasetView]:
        """List the datasets jobs can run on."""
        return [DatasetView.model_validate(dataset) for dataset in self._send("GET", "/v1/datasets")]

    def me(self) -> Identity:
        """Say whose token this is."""
        return Identity.model_validate(self._send("GET", "/v1/me"))

    def tokens(self) -> list[dict[str, Any]]:
        """List one's own tokens, or everybody's for an administrator; never the tokens themselves."""
        found: list[dict[str, Any]] = self._send("GET", "/v1/tokens")
        return found

    def create_token(
        self, owner: str, *, scopes: Iterable[str] = ("read", "submit"), label: str = "", days: int | None = None
    ) -> dict[str, Any]:
        """Make a token (administrators only); `token` of the answer cannot be read again."""
        request = {"owner": owner, "scopes": [*scopes], "label": label, "days": days}
        made: dict[str, Any] = self._send("POST", "/v1/tokens", json=request)
        return made

    def revoke_token(self, token_id: str) -> None:
        """End a token by its id."""
        self._send("DELETE", f"/v1/tokens/{quote(token_id, safe='')}")

    def _bytes(self, path: str) -> bytes:
        try:
            response = self.http.get(path)
        except httpx.TransportError as error:
            raise unreachable(self.http, error) from error
        check(response)
        return response.content

    def _pages(self, path: str, shape: type[_AnyPage]) -> Iterator[_AnyPage]:
        """Read a list to its end."""
        following: str | None = path
        while following:
            page = shape.model_validate(self._send("GET", following))
            yield page
            following = page.next

    def _send(self, method: str, path: str, **kwargs: Any) -> Any:
        try:
            response = self.http.request(method, path, **kwargs)
        except httpx.TransportError as error:
            raise unreachable(self.http, error) from error
        check(response)
        return response.json() if response.content else None


def _running_stack() -> dict[str, str]:
    path = stack_folder() / "client.json"
    if not path.is_file():
        hint = "start one with `crant up`; or set CRANT_DATA to the folder of one, or CRANT_URL and CRANT_TOKEN"
        raise NotFound("no service is known here", value=str(path), hint=hint)
    found: dict[str, str] = json.loads(path.read_text())
    return found
