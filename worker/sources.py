"""Opens the data source of a dataset, once in each process."""

from __future__ import annotations

from crant_core.datasets import get_dataset
from crant_core.jobs.settings import Settings
from crant_core.sources.base import Source


class SourceBook:
    """The sources of one process."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._open: dict[str, Source] = {}

    def open(self, dataset_name: str) -> Source:
        """Return the dataset's source; raises `UnknownDataset` or `SourceTokenMissing`."""
        if dataset_name not in self._open:
            self._open[dataset_name] = self._connect(dataset_name)
        return self._open[dataset_name]

    def _connect(self, dataset_name: str) -> Source:
        from crant_core.sources.cave import CaveSource  # heavy: caveclient and cloud-volume

        dataset = get_dataset(dataset_name, self._settings.datasets)
        return CaveSource(dataset, self._settings.token(dataset.server))
