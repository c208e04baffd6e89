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
import time
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import httpx
from httpx_sse import SSEError, connect_sse
from platformdirs import user_data_path

from crant_core.answers import ServiceProblem, ServiceUnreachable, check, unreachable
from crant_core.download import download, sha256_of
from crant_core.errors import NotFound
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
)

__all__ = ["Crant", "Job", "ServiceProblem", "ServiceUnreachable", "data_folder"]

if TYPE_CHECKING:
    import pandas as pd
    from navis import NeuronList, TreeNeuron

_TIMEOUT = httpx.Timeout(30.0, read=60.0)
_RECONNECT_SECONDS = 1.0


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
            What to work on; few kinds do without: those on another job's results take that one's.
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
        ServiceProblem
            The service did not accept it; nothing was stored.
        """
        chosen = {"label": label, "priority": priority, "reuse": reuse, "deadline": deadline, "after": [*after]}
        request = _request(kind, dataset, ids, params, at=at, **chosen, notify=[*notify])
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
        request = _request(kind, dataset, ids, params, at=at, reuse=reuse)
        answer = self._send("POST", "/v1/jobs", params={"dry_run": True}, json=request)
        return EstimateView.model_validate(answer)

    def job(self, job_id: str) -> Job:
        """Return a job by its id."""
        return Job(self, JobView.model_validate(self._send("GET", f"/v1/jobs/{quote(job_id, safe='')}")))

    def jobs(self, limit: int = 50, state: str | None = None, parent: str | None = None) -> list[JobView]:
        """List jobs, newest first; of a `parent`, its steps."""
        wanted = {"limit": limit} | ({"state": state} if state else {}) | ({"parent": parent} if parent else {})
        return JobPage.model_validate(self._send("GET", "/v1/jobs", params=wanted)).jobs

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

    def _send(self, method: str, path: str, **kwargs: Any) -> Any:
        try:
            response = self.http.request(method, path, **kwargs)
        except httpx.TransportError as error:
            raise unreachable(self.http, error) from error
        check(response)
        return response.json() if response.content else None


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
                check(source.response)
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
            if not (path.is_file() and sha256_of(path) == artifact.sha256):
                download(self.service.http, self._file(artifact.name), artifact, path)
            yield path

    def read(self, name: str) -> bytes:
        """Return one result file.

        Raises
        ------
        ServiceProblem
            There is none of this name.
        """
        return self.service._bytes(self._file(name))

    def _file(self, name: str) -> str:
        return f"{self._path}/artifacts/{quote(name, safe='')}"

    def table(self, name: str) -> pd.DataFrame:
        """Return a Parquet file of the job as a table; ids stay 64-bit integers.

        Parameters
        ----------
        name : str
            The file's name, such as "neurons.parquet"; the suffix may be left out.
        """
        import pandas as pd

        data = self.read(name if name.endswith(".parquet") else f"{name}.parquet")
        return pd.read_parquet(BytesIO(data), dtype_backend="pyarrow").convert_dtypes(dtype_backend="numpy_nullable")

    def skeletons(self) -> NeuronList:
        """Return the job's skeletons as navis neurons, in nm, in the order in which they were made.

        Returns
        -------
        navis.NeuronList
            `id` of each is its root id, an int.

        Raises
        ------
        NotFound
            The job made no SWC files.
        """
        import navis

        files = [file for file in self.artifacts() if file.name.endswith(".swc")]
        if not files:
            hint = "skeletons come from the kinds skeletonize and l2_skeletons, with swc among the formats"
            raise NotFound(f"job {self.id} has no skeletons", value=self.id, hint=hint)
        return navis.NeuronList([self._skeleton(file.name) for file in files])

    def _skeleton(self, name: str) -> TreeNeuron:
        import navis

        neuron = navis.read_swc(self.read(name).decode())
        neuron.id, neuron.name, neuron.units = int(name.removesuffix(".swc")), name.removesuffix(".swc"), "1 nm"
        return neuron


def _request(
    kind: str, dataset: str, ids: Iterable[int | str], params: dict[str, Any], **chosen: Any
) -> dict[str, Any]:
    params["ids"] = [str(value) if not isinstance(value, (float, bool)) else value for value in ids]
    request = JobRequest(kind=kind, dataset=dataset, params=params, **chosen)
    return request.model_dump(mode="json") | {"notify": chosen.get("notify", [])}  # a model keeps addresses to itself


def _running_stack() -> dict[str, str]:
    path = data_folder() / "client.json"
    if not path.is_file():
        hint = "start one with `crant up`, or set CRANT_URL and CRANT_TOKEN"
        raise NotFound("no service is known here", value=str(path), hint=hint)
    found: dict[str, str] = json.loads(path.read_text())
    return found
