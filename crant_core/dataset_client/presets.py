"""Clients for the datasets that cortical-tools knows, read off the datasets' own descriptions."""

from __future__ import annotations

from typing import Any, ClassVar

from crant_core.dataset_client.client import DatasetClient
from crant_core.datasets import Dataset, get_dataset
from crant_core.registry import dataset_of


class _Preset(DatasetClient):
    """A client for one dataset."""

    dataset: ClassVar[Dataset]

    def __init_subclass__(cls, name: str, **options: Any) -> None:
        super().__init_subclass__(**options)
        cls.dataset = get_dataset(name)
        cls.datastack_name, cls.server_address = cls.dataset.datastack, cls.dataset.server

    def __init__(self) -> None:
        self._begin(self.dataset)


class MinniePublicClient(_Preset, name="minnie65_public"):
    """MICrONS cubic millimetre, public releases: `minnie65_public` on global.daf-apis.com."""


class MicronsProdClient(_Preset, name="minnie65_phase3_v1"):
    """MICrONS cubic millimetre, production: `minnie65_phase3_v1` on global.daf-apis.com."""


class V1ddClient(_Preset, name="v1dd"):
    """V1 deep dive, production: `v1dd` on global.em.brain.allentech.org."""


class V1ddPublicClient(_Preset, name="v1dd_public"):
    """V1 deep dive, public releases: `v1dd_public` on global.em.brain.allentech.org."""


_PRESETS = {preset.dataset: preset for preset in (MinniePublicClient, MicronsProdClient, V1ddClient, V1ddPublicClient)}


def load_client(name: str) -> DatasetClient:
    """Return a new client for a dataset. Nothing is asked of the server yet.

    Parameters
    ----------
    name : str
        Name or alias of any dataset, such as `"microns_public"`, `"minnie_public"`, `"v1dd"`, or of one that was
        registered.

    Returns
    -------
    DatasetClient
        A `MinniePublicClient`, `MicronsProdClient`, `V1ddClient` or `V1ddPublicClient` for these.

    Raises
    ------
    UnknownDataset
        With the nearest known names; it is a ValueError too.
    """
    found = dataset_of(name)
    return _PRESETS[found]() if found in _PRESETS else DatasetClient.of(found)
