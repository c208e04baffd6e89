"""The annotation table of a dataset: fetched once in two hours, whoever asks, and never changed."""

from __future__ import annotations

from collections.abc import Collection
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

_FEW = 50  #: roots that a query can name
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


def rows_about(dataset: Dataset, roots: Collection[int], clear_cache: bool = False) -> pd.DataFrame:
    """Return the rows of the annotation table that are about some roots, and maybe others.

    Of few roots, only theirs are fetched, if the server can be asked so and the table is not known. Parameters, result
    and errors as in `table_of`.
    """
    source, cache = annotation_source(dataset), get_global_cache(CACHE)
    is_known = not clear_cache and cache.entry(source.key, MAX_AGE) is not None
    about = getattr(source, "about", None)
    if about is None or is_known or not 0 < len(roots) <= _FEW:
        return table_of(dataset, clear_cache)
    found: pd.DataFrame = about(roots)
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
