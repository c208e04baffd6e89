"""Cell bodies as people and detectors of nuclei noted them, looked up for roots of any age."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import numpy as np

from crant_core import times
from crant_core.access import source_of
from crant_core.annotations.cells import number_of
from crant_core.annotations.table import table_of
from crant_core.datasets import Dataset
from crant_core.errors import InvalidInput, NotARoot, WrongType
from crant_core.meshes.bulk import is_one, roots_of
from crant_core.registry import dataset_of, find_dataset
from crant_core.sources.chunkedgraph_requests import TICK
from crant_core.sources.tables import Tables

if TYPE_CHECKING:
    from crant_core.sources.cave import CaveSource
    from crant_core.sources.chunkedgraph_lineage import Lineage

_PLACEHOLDER = 1  # what servers give where a point was not looked up yet; 0 is background
_NM = (1.0, 1.0, 1.0)
_log = logging.getLogger(__name__)
Position = tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class _Note:
    """A nucleus that somebody noted: the supervoxel it is bound to, where it is in nm, and how large if it is known."""

    supervoxel: int
    position: Position
    root: int  #: that a row without a supervoxel names
    size: float = 0.0


def get_soma_from_annotations(root_id: Any, client: Any, dataset: str | Dataset | None = None) -> Any:
    """Look up where the nuclei of neurons are.

    The dataset's table of nuclei in CAVE (`cell_main_table`) is asked, if it has one, and for neurons that are not in
    it `nucleus_position` of its annotation table, if it has that. A nucleus is in the neuron whose root contained its
    supervoxel while that root held: an outdated id finds what it contained, a piece without the nucleus finds nothing.

    Source: for the table `POST /materialize/api/v3/datastack/{datastack}/version/{version}/table/{table}/query`, latest
    version; for the annotations see `get_all_seatable_annotations`. For both `…/lineage_graph_multiple`, once, and
    `…/roots_binary`, once for all roots that hold now, and once for each that does not.

    Parameters
    ----------
    root_id : ids or neurons
        One or many, of any age.
    client : CAVEclient, DatasetClient, str, Dataset or None
        Names the dataset, if `dataset` is left out: a client by its datastack. It is not asked for anything.
    dataset : str or Dataset, optional
        Name or alias; left out, that of the client, and without one the default dataset.

    Returns
    -------
    tuple of float, None, or list of these
        (x, y, z) in nm; None if no nucleus is noted. Of several nuclei in one neuron the largest, if sizes are known,
        else the first, and a warning is logged. A list for many, and for a list of one, in input order.

    Raises
    ------
    InvalidId
        Something is no root id.
    InvalidInput
        The client is of another dataset, or the dataset has neither a table of nuclei nor annotations.
    WrongType
        `client` is none.
    UnknownDataset
        No dataset is known for the client's datastack.
    NotARoot
        The dataset never had such a root.
    SourceTokenMissing
    SourceError
    """
    source = source_of(_dataset(client, dataset))
    if not (source.dataset.cell_main_table or source.dataset.annotations):
        hint = "name a table of nuclei in `cell_main_table`, or annotations (CRANT_DATASETS, register)"
        raise InvalidInput(f"{source.dataset.name} has no notes of nuclei", value=source.dataset.name, hint=hint)
    roots = roots_of(source, root_id)
    found = _looked_up(source, list(dict.fromkeys(roots)))
    return found.get(roots[0]) if is_one(root_id) else [found.get(root) for root in roots]


def _dataset(client: Any, dataset: str | Dataset | None) -> Dataset:
    if client is None:
        return dataset_of(dataset)
    named = _dataset_of_client(client, dataset)
    found = named if dataset is None else dataset_of(dataset)
    if named.datastack == found.datastack:
        return found
    hint = f"leave dataset out, or take a client of {found.datastack}"
    problem = f"the client is of {named.datastack}, the dataset of {found.datastack}"
    raise InvalidInput(problem, value=named.datastack, hint=hint)


def _dataset_of_client(client: Any, asked: str | Dataset | None) -> Dataset:
    """Return the dataset of a client; of several with its datastack the one that is asked for, or is the default."""
    if isinstance(client, str | Dataset):
        return dataset_of(client)
    stack = getattr(client, "datastack_name", None)
    if not isinstance(stack, str):
        hint = "give a CAVEclient (get_cave_client), the name of a dataset, or None"
        raise WrongType(f"{type(client).__name__} is no client", value=str(type(client)), hint=hint)
    meant = dataset_of(asked)
    return meant if meant.datastack == stack else find_dataset(None, stack) or dataset_of(stack)


def _looked_up(source: CaveSource, roots: Sequence[int]) -> dict[int, Position]:
    now = datetime.now(UTC)
    table = source.dataset.cell_main_table
    base = times.resolve(source, "mat") if table else None
    history = source.graph.lineage(roots, base.timestamp if base else now, now)
    for root in roots:
        if root not in history.born:
            hint = "is it of another dataset?"
            raise NotARoot(f"{source.dataset.name} never had a root {root}", value=root, hint=hint)
    found: dict[int, Position] = {}
    if table and base:
        kin = {one for root in roots for one in history.at(root, base.timestamp)}
        found = _placed(source, _nuclei(source, table, base, kin), roots, history, now)
    left = [root for root in roots if root not in found]
    if left and source.dataset.annotations:
        found |= _placed(source, _annotated(source.dataset), left, history, now)
    return found


def _nuclei(source: CaveSource, table: str, base: times.TimeBase, roots: Iterable[int]) -> list[_Note]:
    """Read the rows of the nucleus table in some of the roots of its time."""
    rows = Tables(source).select(table, {"pt_root_id": sorted(roots)}, base, resolution=_NM)
    if not len(rows):
        return []
    sizes = rows["volume"].to_numpy(np.float64) if "volume" in rows else np.zeros(len(rows))
    places = rows[[f"pt_position_{axis}" for axis in "xyz"]].to_numpy(np.float64).tolist()
    return [
        _Note(int(supervoxel), (x, y, z), 0, float(size))
        for supervoxel, (x, y, z), size in zip(rows["pt_supervoxel_id"].tolist(), places, sizes, strict=True)
    ]


def _annotated(dataset: Dataset) -> list[_Note]:
    rows = table_of(dataset)
    rows = rows[[cell is not None for cell in rows["nucleus_position"]]]
    cells = zip(rows["supervoxel_id"], rows["root_id"], rows["nucleus_position"], strict=True)
    return [
        _Note(number_of(supervoxel), _in_nm(position, dataset.viewer_resolution), number_of(root))
        for supervoxel, root, position in cells
    ]


def _in_nm(voxel: Sequence[int], resolution: tuple[float, float, float]) -> Position:
    x, y, z = (float(step * size) for step, size in zip(voxel, resolution, strict=True))
    return x, y, z


def _placed(
    source: CaveSource, notes: Sequence[_Note], roots: Sequence[int], history: Lineage, now: datetime
) -> dict[int, Position]:
    """Find the nucleus of each root; roots without are left out."""
    bound = [note for note in notes if note.supervoxel > _PLACEHOLDER]
    loose = [note for note in notes if note.supervoxel <= _PLACEHOLDER]
    found: dict[int, Position] = {}
    for moment, asked in _moments(roots, history, now).items():
        there = source.graph.roots([note.supervoxel for note in bound], moment).tolist() if bound else []
        for root in asked:
            mine = [note for note, one in zip(bound, there, strict=True) if one == root]
            mine += [note for note in loose if note.root == root]
            if mine:
                found[root] = _chosen(root, mine)
    return found


def _moments(roots: Iterable[int], history: Lineage, now: datetime) -> dict[datetime, list[int]]:
    """Return times at which roots held: now, or the beginning of each."""
    found: dict[datetime, list[int]] = {}
    for root in roots:
        moment = now if history.holds(root, now) else _after_birth(root, history)
        found.setdefault(moment, []).append(root)
    return found


def _after_birth(root: int, history: Lineage) -> datetime:
    """Return a moment a little later than a root was made, if it held so long: servers round times down."""
    end = history.ended(root)
    later = history.born[root] + TICK
    return later if end is None or later < end else history.born[root]


def _chosen(root: int, notes: Sequence[_Note]) -> Position:
    places = {note.position for note in notes}
    if len(places) > 1:
        _log.warning("%d nuclei are noted in %d: the largest, or first, is returned", len(places), root)

    return max(notes, key=lambda note: note.size).position
