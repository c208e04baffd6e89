"""The port through which annotations come. Adapters: `seatable`, `cave` and `files`."""

from __future__ import annotations

from collections.abc import Hashable
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import pandas as pd


class AnnotationSource(Protocol):
    """Where the annotations of a dataset are."""

    @property
    def key(self) -> Hashable:
        """What distinguishes the table from all others; nothing is asked for it."""

    def table(self) -> pd.DataFrame:
        """Fetch the whole table.

        Returns
        -------
        DataFrame
            As `cells.typed` makes it: complete, as it is now, one row per annotation.

        Raises
        ------
        SourceError
            Nothing partial is ever returned.
        InvalidInput
            What is there is no table of annotations.
        """
