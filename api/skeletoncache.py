"""What stands behind CAVE's skeleton service here: results of `skeletonize` with its usual parameters, by address.

A result serves whoever asks, as with every job: a root's skeleton follows from the segmentation alone. What is missing
becomes a job of who asked; asking again finds that job by its idempotency key, so nothing is ordered twice.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from itertools import permutations

from api.services import Services
from api.skeletons import FORMATS
from crant_core.datasets import Dataset
from crant_core.errors import UnknownDataset
from crant_core.jobs.model import JobState, Queue
from crant_core.jobs.repository.jobs import NewJob
from crant_core.jobs.tables import ArtifactRow, JobRow
from crant_core.kinds.addresses import addresses
from crant_core.kinds.registry import get_kind
from crant_core.times import TimeBase

KIND = "skeletonize"
_LISTS = [list(some) for n in (1, 2, 3) for some in permutations(("swc", "precomputed", "parquet"), n)]
_READABLE = [formats for formats in _LISTS if not set(FORMATS).isdisjoint(formats)]
_WORKERS, _SECONDS_EACH = 15, 60  #: what CAVE's own estimate counts with, for when nothing was measured


class SkeletonCache:
    """The stored skeletons of one dataset."""

    def __init__(self, services: Services, dataset: Dataset) -> None:
        self.services, self.dataset, self.kind = services, dataset, get_kind(KIND)

    def find(self, roots: Sequence[int]) -> dict[int, ArtifactRow]:
        """Return a file for each root whose skeleton exists, whatever formats it was asked for in."""
        owners = {address: root for made in self._addresses() for root in set(roots) if (address := made(str(root)))}
        items = {item: owners[address] for address, item in self.services.stored.items(owners).items()}
        found: dict[int, ArtifactRow] = {}
        for item, files in self.services.stored.files(items).items():
            names = {file.name.rpartition(".")[2]: file for file in files}
            for form in ("swc", "precomputed"):  # SWC has the soma too
                if form in names and items[item] not in found:
                    found[items[item]] = names[form]
        return found

    def _addresses(self) -> list[Callable[[str], str | None]]:
        """List what says where a root's skeleton is, one for each choice of formats."""
        now = TimeBase(asked="live", timestamp=datetime.now(UTC))
        return [addresses(self.kind, self.dataset, self._parameters(formats), now) for formats in _READABLE]

    def _parameters(self, formats: Sequence[str] = ("swc",)) -> dict[str, object]:
        given = self.kind.parameters.model_validate({"ids": [1], "formats": list(formats)})
        return given.model_dump(mode="json", exclude={"ids"})

    def order(self, roots: Sequence[int], owner: str) -> JobRow:
        """Submit a job for skeletons that are missing; the same request finds the same job, unless it was cancelled."""
        digest = hashlib.sha256(" ".join(map(str, sorted(set(roots)))).encode()).hexdigest()
        key = f"skeletoncache {self.dataset.name} {self.kind.code_version} {digest}"
        known, turn = self.services.stored.job_of_key(owner, key), 1
        while known is not None and known.state == JobState.CANCELLED:
            turn += 1
            known = self.services.stored.job_of_key(owner, f"{key} {turn}")
        new = NewJob(
            kind=self.kind.name,
            code_version=self.kind.code_version,
            dataset=self.dataset.name,
            parameters=self._parameters(),
            ids=sorted(set(roots)),
            at="live",
            owner=owner,
            queue=Queue(self.kind.queue),
            body_hash=digest,
            label=f"skeletons for caveclient: {len(roots):,}",
            idempotency_key=key if turn == 1 else f"{key} {turn}",
        )
        return self.services.jobs.submit(new)[0]

    def seconds(self, count: int) -> float:
        """Say how long so many skeletons take at most, as measured here, or else as CAVE estimates it."""
        costs = self.services.estimates.costs(self.kind.name, self.kind.code_version, self.dataset.name)
        return round(costs.seconds.high * count, 1) if costs else -(-count // _WORKERS) * _SECONDS_EACH


def dataset_of(services: Services, datastack: str) -> Dataset:
    """Find a dataset by CAVE's name of its datastack, or by our own.

    Raises
    ------
    UnknownDataset
    """
    found = next((dataset for dataset in services.datasets() if dataset.datastack == datastack), None)
    try:
        return found or services.dataset(datastack)
    except UnknownDataset as error:
        raise UnknownDataset(f"no dataset has the datastack {datastack!r}", value=datastack, hint=error.hint) from error
