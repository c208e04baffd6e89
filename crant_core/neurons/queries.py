"""Annotations of neurons, and which neurons were proofread."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from crant_core.annotations.table import copied, table_of
from crant_core.decorators import parse_neuroncriteria
from crant_core.errors import NoMatchesError
from crant_core.neurons.rows import Neurons, asked_time, neurons_at
from crant_core.parsing import root_ids_of
from crant_core.registry import dataset_of

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from crant_core.datasets import Dataset


def get_all_seatable_annotations(
    dataset: Any = None, proofread_only: bool = False, clear_cache: bool = False, check_stale: bool = True
) -> pd.DataFrame:
    """Return the whole annotation table of a dataset, wherever it is: in SeaTable, in CAVE or in a file.

    Parameters
    ----------
    dataset : str, optional
        Name or alias; left out, the default dataset.
    proofread_only : bool, default False
        Only rows whose `proofread` is True.
    clear_cache : bool, default False
        Fetch it anew. Otherwise it is fetched once in two hours, however many threads ask.
    check_stale : bool, default True
        Fetch it anew if it was fetched more than two hours ago.

    Returns
    -------
    DataFrame
        (n, 30), a copy, with ids as annotators wrote them: they may be outdated, missing, or there twice. Columns are
        of type object: ids are str, positions lists of three int (voxels of the dataset's viewer), `proofread` bool,
        `status` and `region` lists of str, all others str; None where there is nothing, `[]` for a list.
        `attrs["unreadable"]` lists cells that are empty because nobody can read them: (row, column, text).

    Raises
    ------
    InvalidInput
        It is not known where the dataset's annotations are, or they are not in a form that can be read.
    SourceTokenMissing
    Incomplete
        The server gave fewer rows than there are, or somebody added or removed some meanwhile, twice.
    SourceError

    Notes
    -----
    Endpoints: see `SeaTableReader.rows` and `CaveAnnotations.table`.
    """
    found = dataset_of(dataset)
    table = table_of(found, clear_cache, check_stale)
    whole = copied(_proofread(table) if proofread_only else table).reset_index(drop=True)
    whole.attrs["dataset"] = found.name
    return whole


@parse_neuroncriteria()
def get_annotations(
    neurons: Any,
    dataset: Any = None,
    clear_cache: bool = False,
    proofread_only: bool = False,
    update_ids: bool = True,
    *,
    timestamp: Any = None,
    materialization: Any = None,
) -> pd.DataFrame:
    """Return the annotations of neurons.

    Parameters
    ----------
    neurons : ids, NeuronCriteria or neurons
        Root ids, current or outdated, as integers or strings, one or many; navis neurons; a DataFrame with `root_id`.
    dataset : str, optional
        Name or alias; left out, the default dataset.
    clear_cache : bool, default False
        Fetch annotations anew.
    proofread_only : bool, default False
        Only annotations whose `proofread` is True.
    update_ids : bool, default True
        Find annotations of a neuron under whichever of its ids they were made, and you ask. Otherwise an id only finds
        annotations with the same id, and nothing is asked of CAVE.
    timestamp, materialization : time, optional
        At which a neuron is compared with another one, in any form: `"mat"`, `7`, an ISO string, a datetime. Left out:
        now. At most one of them.

    Returns
    -------
    DataFrame
        All 30 columns, see `get_all_seatable_annotations`; rows in the order of the ids, each id once, of an id in the
        order of the table. `root_id` is the id that you asked for, as a string, so that the table can be joined to
        yours. `attrs` holds `missing` (list of int, the ids without annotations), `timestamp` (ISO 8601, UTC),
        `materialization` (int or None) and `dataset`.

    Raises
    ------
    NoMatchesError
        None of the ids has annotations.
    InvalidId
    InvalidInput
    InvalidTime
    SourceError

    Notes
    -----
    Endpoints: those of the annotations, once in two hours, and of `update_ids`, once for all annotated neurons. Rows
    that name no root id are nobody's.
    """
    found = dataset_of(dataset)
    asked = list(dict.fromkeys(root_ids_of(neurons).tolist()))
    table = table_of(found, clear_cache)
    when = asked_time(timestamp, materialization)
    named = neurons_at(found, table, asked, when, update=update_ids)
    keep = _is_proofread(table) if proofread_only else np.ones(len(table), np.bool_)
    return _of_asked(found, table, asked, named, keep)


def get_proofread_neurons(
    dataset: Any = None,
    clear_cache: bool = False,
    check_stale: bool = True,
    update_ids: bool = True,
    *,
    timestamp: Any = None,
    materialization: Any = None,
) -> NDArray[np.int64]:
    """Return the neurons that annotators call proofread.

    Parameters
    ----------
    dataset : str, optional
        Name or alias; left out, the default dataset.
    clear_cache, check_stale : bool
        See `get_all_seatable_annotations`.
    update_ids : bool, default True
        Return the ids that hold at the time. Otherwise they are as annotators wrote them.
    timestamp, materialization : time, optional
        Any form of a time; left out, now.

    Returns
    -------
    (n,) int64
        Each root id once, in the order of the table. Rows without a root id, and those whose root never was, are not
        in it.

    Raises
    ------
    InvalidInput
    InvalidTime
    SourceError
    """
    found = dataset_of(dataset)
    table = _proofread(table_of(found, clear_cache, check_stale))
    named = neurons_at(found, table, when=asked_time(timestamp, materialization), update=update_ids)
    roots = named.rows[(named.rows != 0) & ~named.lost].tolist()
    return np.array(list(dict.fromkeys(roots)), np.int64)


@parse_neuroncriteria()
def is_proofread(
    neurons: Any,
    dataset: Any = None,
    clear_cache: bool = False,
    update_ids: bool = True,
    *,
    timestamp: Any = None,
    materialization: Any = None,
) -> NDArray[np.bool_]:
    """Say which neurons annotators call proofread.

    Parameters
    ----------
    neurons : ids, NeuronCriteria or neurons
        Root ids, current or outdated, as integers or strings, one or many.
    dataset : str, optional
        Name or alias; left out, the default dataset.
    clear_cache : bool, default False
        Fetch annotations anew.
    update_ids, timestamp, materialization
        See `get_annotations`.

    Returns
    -------
    (n,) bool
        In input order. False also for neurons without annotations. One of several annotations will do.

    Raises
    ------
    InvalidId
    InvalidInput
    InvalidTime
    SourceError
    """
    found = dataset_of(dataset)
    asked = root_ids_of(neurons)
    table = _proofread(table_of(found, clear_cache))
    when = asked_time(timestamp, materialization)
    named = neurons_at(found, table, asked.tolist(), when, update=update_ids)
    return np.isin(named.asked, named.rows[named.rows != 0])


def _is_proofread(table: pd.DataFrame) -> NDArray[np.bool_]:
    return np.array([cell is True for cell in table["proofread"]], dtype=np.bool_)


def _proofread(table: pd.DataFrame) -> pd.DataFrame:
    return table[_is_proofread(table)]


def _of_asked(
    dataset: Dataset, table: pd.DataFrame, asked: Sequence[int], named: Neurons, keep: NDArray[np.bool_]
) -> pd.DataFrame:
    """Return the rows of each id, under the id that was asked for."""
    rows_of: defaultdict[int, list[int]] = defaultdict(list)
    for row in np.flatnonzero(keep & (named.rows != 0)).tolist():
        rows_of[int(named.rows[row])].append(row)
    rows = [rows_of.get(root, []) for root in named.asked.tolist()]
    missing = [root for root, mine in zip(asked, rows, strict=True) if not mine]
    if len(missing) == len(asked):
        hint = "annotations come without them; check the dataset, or leave proofread_only out"
        raise NoMatchesError(f"none of {len(asked)} neurons has annotations", value=missing[:10], hint=hint)
    found = copied(table.iloc[[row for mine in rows for row in mine]]).reset_index(drop=True)
    found["root_id"] = [str(root) for root, mine in zip(asked, rows, strict=True) for _ in mine]
    found.attrs.clear()
    found.attrs.update(named.attributes(dataset), missing=missing)
    return found
