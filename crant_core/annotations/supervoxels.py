"""Supervoxels of annotated neurons, by which `update_ids` finds what became of outdated ids without counting."""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping

from crant_core.annotations.cells import number_of
from crant_core.annotations.table import rows_about, table_of
from crant_core.datasets import Dataset
from crant_core.errors import SourceError, SourceTokenMissing
from crant_core.registry import dataset_of

_log = logging.getLogger(__name__)


def supervoxels_of(
    dataset: str | Dataset, clear_cache: bool = False, roots: Collection[int] | None = None
) -> Mapping[int, int] | None:
    """Return one supervoxel of each annotated neuron; from which `update_ids` finds its way after splits.

    Parameters
    ----------
    dataset : str or Dataset
        Name or alias.
    clear_cache : bool, default False
        Fetch annotations anew.
    roots : collection of int, optional
        Those that are asked about; if they are few, fewer rows may be fetched.

    Returns
    -------
    dict of int to int, or None
        By the root id that the annotation names, which may be outdated; of several annotations the first counts. None
        where annotations are not known, or cannot be had now (which is logged): ids can be updated without them.
    """
    known = dataset_of(dataset)
    if known.annotations is None:
        return None
    try:
        table = table_of(known, clear_cache) if roots is None else rows_about(known, roots, clear_cache)
    except SourceTokenMissing:
        return None  # most people have none
    except SourceError as error:
        _log.warning("ids are updated without annotations: %s", error)
        return None
    found: dict[int, int] = {}
    for root, supervoxel in zip(table["root_id"], table["supervoxel_id"], strict=True):
        if (old := number_of(root)) and (part := number_of(supervoxel)):
            found.setdefault(old, part)
    return found
