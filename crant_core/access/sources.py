"""One source per dataset and token, shared by all threads."""

from __future__ import annotations

from typing import TYPE_CHECKING

from crant_core.caching.memory import Cache
from crant_core.datasets import Dataset
from crant_core.registry import dataset_of, given_token

if TYPE_CHECKING:
    from crant_core.sources.cave import CaveSource

_MOST = 32  # sources kept: a person uses a few, a test suite many
_sources = Cache(_MOST)


def source_of(dataset: str | Dataset | None = None) -> CaveSource:
    """Return the shared source of a dataset. Nothing is asked of the server before it is used.

    Parameters
    ----------
    dataset : str, Dataset or None
        Name or alias; None: the default dataset, as it is at this moment.

    Raises
    ------
    UnknownDataset
    """
    found = dataset_of(dataset)
    token = given_token(found.server)
    source: CaveSource = _sources.get_or_make((found, token), lambda: _open(found, token))
    return source


def forget_sources() -> None:
    """Let the next calls connect anew, with the token as it is then."""
    _sources.clear()


def _open(dataset: Dataset, token: str | None) -> CaveSource:
    from crant_core.sources.cave import CaveSource  # heavy: caveclient and cloud-volume

    return CaveSource(dataset, token)
