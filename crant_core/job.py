"""A job of the service, as the Python client has it: watch it, change it, fetch what it made."""

from __future__ import annotations

import time
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

import httpx
from httpx_sse import SSEError, connect_sse

from crant_core.answers import check
from crant_core.download import download, sha256_of
from crant_core.errors import CrantError, InvalidInput, NotFound
from crant_core.jobs.wire import ArtifactPage, ArtifactView, EventView, ItemPage, ItemView, JobView

if TYPE_CHECKING:
    import pandas as pd
    from navis import NeuronList, TreeNeuron

    from crant_core.client import Crant

_RECONNECT_SECONDS = 1.0


class Job:
    """A job of the service. `view` is what was last heard of it."""

    def __init__(self, service: Crant, view: JobView) -> None:
        self.service = service
        self.view = view
        self._path = f"/v1/jobs/{view.id}"

    def __repr__(self) -> str:
        """Say what it is and how it stood when it was last heard of."""
        view, counts = self.view, self.view.counts
        return f"<Job {view.id}: {view.kind} on {view.dataset}, {view.state}, {counts.ended} of {counts.total} items>"

    @property
    def id(self) -> str:
        """The job's id."""
        return self.view.id

    @property
    def page(self) -> str:
        """Address of its page on the dashboard."""
        return self._address("alternate") or ""

    @property
    def neuroglancer(self) -> str | None:
        """Address that opens its skeletons in Neuroglancer, for whoever has it; None for jobs that make none."""
        return self._address("neuroglancer")

    def _address(self, rel: str) -> str | None:
        found = next((link.href for link in self.view.links if link.rel == rel), None)
        return found and str(self.service.http.base_url.join(found))

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
        path = f"{self._path}/items?limit=1000" + (f"&state={state}" if state else "")
        for page in self.service._pages(path, ItemPage):
            yield from page.items

    def artifacts(self) -> Iterator[ArtifactView]:
        """List the result files."""
        for page in self.service._pages(f"{self._path}/artifacts", ArtifactPage):
            yield from page.artifacts

    def fetch(self, folder: str | Path) -> list[Path]:
        """Download every file that is not there yet, check it, and return the paths.

        Raises
        ------
        InvalidInput
            The folder cannot be written.
        CrantError
            A file arrived damaged; what was written of it is removed.
        """
        return list(self.fetch_each(folder))

    def fetch_each(self, folder: str | Path) -> Iterator[Path]:
        """Do what `fetch` does, one file at a time."""
        folder = _writable(folder)
        written: set[Path] = set()
        for artifact in self.artifacts():
            path = _inside(folder, artifact.name, written)
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
        """Return a Parquet file of the job as a table; types are those of the file, where values are missing too.

        Parameters
        ----------
        name : str
            The file's name, such as "neurons.parquet"; the suffix may be left out.

        Returns
        -------
        pandas.DataFrame
            Ids are Int64, names that repeat are categories.

        Raises
        ------
        ServiceProblem
            There is none of this name.
        """
        import pandas as pd

        data = self.read(name if name.endswith(".parquet") else f"{name}.parquet")
        return pd.read_parquet(BytesIO(data), dtype_backend="numpy_nullable")

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


def _writable(folder: str | Path) -> Path:
    """Make a folder, if it is not there."""
    made = Path(folder).expanduser()
    try:
        made.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InvalidInput(f"{made} is no folder to write to: {error.strerror}", value=str(made)) from error
    return made


def _inside(folder: Path, name: str, written: set[Path]) -> Path:
    """Return where a file goes: into the folder, whatever its name, and not over another one of this job."""
    path = folder / Path(name).name
    if path.name in ("", "..") or "\0" in name or path == folder or path in written:
        hint = "fetch it alone, with the client's `read`, or all as archive.zip"
        raise CrantError(f"there is no place in the folder for the file {name!r}", value=name, hint=hint)
    written.add(path)
    return path
