"""The service from Python: submit, wait, fetch.

    from crant_core.client import Crant

    job = Crant().submit("skeletonize", dataset="demo", ids=[576460754037774276])
    job.wait()
    job.fetch("results/")

The address and token come from `CRANT_URL` and `CRANT_TOKEN`, else from the stack that `crant up` started here.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import time
from collections.abc import Iterable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
from httpx_sse import SSEError, connect_sse
from platformdirs import user_data_path

from crant_core.errors import CrantError, NotFound
from crant_core.jobs.wire import (
    ArtifactPage,
    ArtifactView,
    DatasetView,
    EstimateView,
    EventView,
    Identity,
    ItemPage,
    ItemView,
    JobPage,
    JobRequest,
    JobView,
    KindView,
    Problem,
)

_TIMEOUT = httpx.Timeout(30.0, read=60.0)
_RECONNECT_SECONDS = 1.0
_CHUNK = 1 << 20


class ServiceProblem(CrantError):
    """The service refused the request.

    Attributes
    ----------
    problem : Problem
        What the service said, with its stable `code`.
    """

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        self.code = problem.code  # type: ignore[misc] # the service's code, not this class's
        super().__init__(problem.detail, value=problem.value, hint=problem.hint)

    def __reduce__(self) -> tuple[Any, ...]:
        """Survive pickling."""
        return ServiceProblem, (self.problem,)


class ServiceUnreachable(CrantError):
    """No service answers at this address."""

    code = "service_unreachable"
    retryable = True


def data_folder() -> Path:
    """Return the folder where `crant up` keeps everything: `CRANT_DATA`, or the user's data folder."""
    return Path(os.environ.get("CRANT_DATA") or user_data_path("crant"))


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
        self.http = httpx.Client(base_url=url, headers={"Authorization": f"Bearer {token}"}, timeout=_TIMEOUT)

    def submit(
        self,
        kind: str,
        *,
        dataset: str,
        ids: Iterable[int | str],
        at: str | int = "live",
        label: str = "",
        priority: int = 0,
        reuse: bool = True,
        deadline: datetime | None = None,
        after: Iterable[str] = (),
        **params: Any,
    ) -> Job:
        """Submit a job.

        Parameters
        ----------
        kind, dataset : str
            See `kinds` and `datasets`.
        ids : iterable of int or str
            What to work on.
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
        **params
            The kind's own parameters.

        Raises
        ------
        ServiceProblem
            The service did not accept it; nothing was stored.
        """
        chosen = {"label": label, "priority": priority, "reuse": reuse, "deadline": deadline, "after": [*after]}
        request = _request(kind, dataset, ids, params, at=at, **chosen)
        key = {"Idempotency-Key": secrets.token_hex(16)}  # a request sent again after a lost answer is the same job
        return Job(self, JobView.model_validate(self._send("POST", "/v1/jobs", json=request, headers=key)))

    def estimate(
        self,
        kind: str,
        *,
        dataset: str,
        ids: Iterable[int | str],
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
        request = _request(kind, dataset, ids, params, at=at, reuse=reuse)
        answer = self._send("POST", "/v1/jobs", params={"dry_run": True}, json=request)
        return EstimateView.model_validate(answer)

    def job(self, job_id: str) -> Job:
        """Return a job by its id."""
        return Job(self, JobView.model_validate(self._send("GET", f"/v1/jobs/{quote(job_id, safe='')}")))

    def jobs(self, limit: int = 50, state: str | None = None) -> list[JobView]:
        """List jobs, newest first."""
        wanted = {"limit": limit} | ({"state": state} if state else {})
        return JobPage.model_validate(self._send("GET", "/v1/jobs", params=wanted)).jobs

    def kinds(self) -> list[KindView]:
        """List the kinds of jobs."""
        return [KindView.model_validate(kind) for kind in self._send("GET", "/v1/kinds")]

    def datasets(self) -> list[DatasetView]:
        """List the datasets jobs can run on."""
        return [DatasetView.model_validate(dataset) for dataset in self._send("GET", "/v1/datasets")]

    def me(self) -> Identity:
        """Say whose token this is."""
        return Identity.model_validate(self._send("GET", "/v1/me"))

    def _send(self, method: str, path: str, **kwargs: Any) -> Any:
        try:
            response = self.http.request(method, path, **kwargs)
        except httpx.TransportError as error:
            raise _unreachable(self, error) from error
        _check(response)
        return response.json()


class Job:
    """A job of the service. `view` is what was last heard of it."""

    def __init__(self, service: Crant, view: JobView) -> None:
        self.service = service
        self.view = view
        self._path = f"/v1/jobs/{view.id}"

    @property
    def id(self) -> str:
        """The job's id."""
        return self.view.id

    def refresh(self) -> JobView:
        """Ask how the job stands."""
        self.view = JobView.model_validate(self.service._send("GET", self._path))
        return self.view

    def events(self, after: int = 0) -> Iterator[EventView]:
        """Follow what happens until the job ends; a broken connection is resumed where it broke."""
        while True:
            try:
                for event in self._stream(after):
                    after = event.id
                    yield event
            except (httpx.TransportError, SSEError):
                time.sleep(_RECONNECT_SECONDS)
            if self.refresh().state.ended:  # raises if the service is gone
                yield from self._rest(after)
                return

    def _stream(self, after: int) -> Iterator[EventView]:
        headers = {"Last-Event-ID": str(after)}
        with connect_sse(self.service.http, "GET", f"{self._path}/events", headers=headers) as source:
            if source.response.is_error:
                source.response.read()
                _check(source.response)
            for event in source.iter_sse():
                if event.data:
                    yield EventView.model_validate_json(event.data)

    def _rest(self, after: int) -> Iterator[EventView]:
        """Read what happened between the last event heard and the end."""
        while page := self.service._send("GET", f"{self._path}/events", params={"after": after}):
            events = [EventView.model_validate(event) for event in page]
            yield from events
            after = events[-1].id

    def cancel(self) -> JobView:
        """End the job; what is done stays. Raises `ServiceProblem` where this makes no sense, as the next three do."""
        return self._change("cancel")

    def pause(self) -> JobView:
        """Start nothing new of the job."""
        return self._change("pause")

    def resume(self) -> JobView:
        """Let the paused job go on."""
        return self._change("resume")

    def retry(self) -> JobView:
        """Do again what failed or was cancelled; what succeeded is kept."""
        return self._change("retry")

    def _change(self, action: str) -> JobView:
        self.view = JobView.model_validate(self.service._send("POST", f"{self._path}/{action}"))
        return self.view

    def wait(self) -> JobView:
        """Return when the job has ended, well or not."""
        for _ in self.events():
            pass
        return self.refresh()

    def items(self, state: str | None = None) -> Iterator[ItemView]:
        """List the items in input order."""
        path: str | None = f"{self._path}/items?limit=1000" + (f"&state={state}" if state else "")
        while path:
            page = ItemPage.model_validate(self.service._send("GET", path))
            yield from page.items
            path = page.next

    def artifacts(self) -> Iterator[ArtifactView]:
        """List the result files."""
        path: str | None = f"{self._path}/artifacts"
        while path:
            page = ArtifactPage.model_validate(self.service._send("GET", path))
            yield from page.artifacts
            path = page.next

    def fetch(self, folder: str | Path) -> list[Path]:
        """Download every file that is not there yet, check it, and return the paths.

        Raises
        ------
        CrantError
            A file arrived damaged; what was written of it is removed.
        """
        return list(self.fetch_each(folder))

    def fetch_each(self, folder: str | Path) -> Iterator[Path]:
        """Do what `fetch` does, one file at a time."""
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        for artifact in self.artifacts():
            path = folder / Path(artifact.name).name  # a name never leads out of the folder
            if not (path.is_file() and _sha256(path) == artifact.sha256):
                self._download(artifact, path)
            yield path

    def _download(self, artifact: ArtifactView, path: Path) -> None:
        draft = path.with_name(path.name + ".part")
        with self.service.http.stream("GET", f"{self._path}/artifacts/{quote(artifact.name, safe='')}") as response:
            if response.is_error:
                response.read()
                _check(response)
            with draft.open("wb") as file:
                for chunk in response.iter_bytes(_CHUNK):
                    file.write(chunk)
        if _sha256(draft) != artifact.sha256:
            draft.unlink()
            raise CrantError(f"{artifact.name} arrived damaged", value=artifact.name, hint="fetch again")
        draft.replace(path)


def _request(
    kind: str, dataset: str, ids: Iterable[int | str], params: dict[str, Any], **chosen: Any
) -> dict[str, Any]:
    params["ids"] = [str(value) if not isinstance(value, (float, bool)) else value for value in ids]
    request = JobRequest(kind=kind, dataset=dataset, params=params, **chosen)
    return request.model_dump(mode="json")


def _running_stack() -> dict[str, str]:
    path = data_folder() / "client.json"
    if not path.is_file():
        hint = "start one with `crant up`, or set CRANT_URL and CRANT_TOKEN"
        raise NotFound("no service is known here", value=str(path), hint=hint)
    found: dict[str, str] = json.loads(path.read_text())
    return found


def _check(response: httpx.Response) -> None:
    if response.is_success:
        return
    if "application/problem+json" in response.headers.get("content-type", ""):
        raise ServiceProblem(Problem.model_validate_json(response.content))
    problem = Problem(
        type="about:blank",
        title=response.reason_phrase,
        status=response.status_code,
        code="unexpected_answer",
        detail=f"{response.request.url} answered {response.status_code} {response.reason_phrase}",
    )
    raise ServiceProblem(problem)


def _unreachable(service: Crant, error: Exception) -> ServiceUnreachable:
    hint = "is it running? start it with `crant up`"
    return ServiceUnreachable(f"no answer from {service.http.base_url}: {error}", hint=hint)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
