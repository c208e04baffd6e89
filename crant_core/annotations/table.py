"""The annotation table of a dataset: fetched once in two hours, whoever asks, and never changed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from crant_core.annotations.cells import LISTS, POSITIONS
from crant_core.caching import get_global_cache
from crant_core.caching.results import MAX_AGE
from crant_core.datasets import CaveTableStore, Dataset, FileStore, SeaTableStore
from crant_core.errors import InvalidInput, SourceTokenMissing
from crant_core.registry import given_annotation_token

if TYPE_CHECKING:
    import pandas as pd

    from crant_core.annotations.base import AnnotationSource

CACHE = "seatable_annotations"  #: the name that crantpy gives it, wherever annotations are


def table_of(dataset: Dataset, clear_cache: bool = False, check_stale: bool = True) -> pd.DataFrame:
    """Return the annotation table of a dataset; everybody gets the same object, so it must not be changed.

    Parameters
    ----------
    dataset : Dataset
    clear_cache : bool
        Fetch it anew.
    check_stale : bool
        Fetch it anew if it was fetched more than two hours ago.

    Returns
    -------
    DataFrame
        See `cells.typed`.

    Raises
    ------
    InvalidInput
        It is not known where the annotations of the dataset are, or there is no table of annotations.
    SourceTokenMissing
    SourceError
    """
    source = annotation_source(dataset)
    cache = get_global_cache(CACHE)
    found: pd.DataFrame = cache.get_or_make(
        source.key, source.table, MAX_AGE if check_stale else None, clear=clear_cache
    )
    return found


def annotation_source(dataset: Dataset) -> AnnotationSource:
    """Return where the annotations of a dataset come from; nothing is asked for yet.

    Raises
    ------
    InvalidInput
        It is not known where they are.
    SourceTokenMissing
        They are in a SeaTable base, and there is no token for its server.
    """
    store = dataset.annotations
    if isinstance(store, SeaTableStore):
        from crant_core.annotations.seatable import SeaTableAnnotations

        return SeaTableAnnotations(store, _token(dataset, store))
    if isinstance(store, CaveTableStore):
        from crant_core.access import source_of
        from crant_core.annotations.cave import CaveAnnotations

        return CaveAnnotations(source_of(dataset), store)
    if isinstance(store, FileStore):
        from crant_core.annotations.files import FileAnnotations

        return FileAnnotations(store)
    hint = "name a SeaTable base, a CAVE table or a file in the dataset's `annotations` (CRANT_DATASETS, register)"
    raise InvalidInput(f"it is not known where annotations of {dataset.name} are", value=dataset.name, hint=hint)


def copied(table: pd.DataFrame) -> pd.DataFrame:
    """Copy rows of a table with the lists in their cells: pandas' own copy shares them."""
    import pandas as pd

    found = table.copy()
    for name in (*LISTS, *POSITIONS):
        cells = [None if cell is None else list(cell) for cell in table[name]]
        found[name] = pd.Series(cells, index=table.index, dtype=object)
    return found


def _token(dataset: Dataset, store: SeaTableStore) -> str:
    token = given_annotation_token(dataset)
    if not token:
        hint = (
            "make an account token in SeaTable and set it as CRANTTABLE_TOKEN (for CRANT's server), in "
            "CRANT_ANNOTATION_TOKENS (by server), or with register(dataset, annotation_token=…)"
        )
        raise SourceTokenMissing(f"no token for the annotations on {store.server}", value=store.server, hint=hint)
    return token
