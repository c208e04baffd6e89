"""Synapses as cortical-tools asks for them: of roots as they are, in a unit of one's choice, with further tables."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, MutableMapping, Sequence
from difflib import get_close_matches
from hashlib import sha256
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from warnings import warn

import numpy as np
import pandas as pd

from crant_core import times
from crant_core.cautions import OutdatedRootWarning
from crant_core.errors import InvalidInput, InvalidParameters, SourceError, TableNotFound
from crant_core.parsing import root_ids_of
from crant_core.progress import Progress
from crant_core.sources.chunkedgraph_requests import JSON_IDS, asking, batches
from crant_core.sources.table_requests import check_columns
from crant_core.sources.tables import Tables
from crant_core.synapses.rows import CENTRE, ENDS, ID, POST, PRE, joined, positions, synapse_table, without_axes

if TYPE_CHECKING:
    from crant_core.sources.cave import CaveSource
    from crant_core.times import TimeBase, When

    Unit = tuple[float, float, float]
    Parts = MutableMapping[str, pd.DataFrame]

_TARGET = "target_id"
_NM = (1.0, 1.0, 1.0)
_EXAMPLES = 3


def query_synapses(  # noqa: PLR0917 - the order that people know
    client: Any,
    root_ids: Any,
    pre: bool = False,
    post: bool = False,
    reference_tables: str | Sequence[str] | None = None,
    synapse_table: str | None = None,
    omit_self_synapse: bool = True,
    resolution: Sequence[float] = _NM,
    split_positions: bool = True,
    live: bool = False,
    timestamp: When = None,
    suffixes: Mapping[str, str] | None = None,
    batch_size: int = 10,
    ref_batch_size: int = 5000,
    progress: Progress = True,
    *,
    parts: Parts | None = None,
) -> pd.DataFrame:
    """Fetch synapses of root ids, and what other tables say about them.

    Parameters
    ----------
    client : DatasetClient or CaveSource
        Whom to ask. The version is that of the client; of a source, the newest.
    root_ids : ids
        One or many, roots of that version or time: they are not updated. Of those that do not hold then nothing is
        found; `OutdatedRootWarning` names them.
    pre, post : bool, default False
        Fetch synapses whose presynaptic, postsynaptic neuron is one of them. At least one of the two.
    reference_tables : sequence of str, optional
        Tables that refer to the synapse table; their rows are merged on `target_id`.
    synapse_table : str, optional
        Left out, that of the dataset.
    omit_self_synapse : bool, default True
        Drop synapses of a neuron with itself.
    resolution : (3,) sequence of float, default (1, 1, 1)
        Unit of positions, nm.
    split_positions : bool, default True
        Give each coordinate a column of its own, such as `ctr_pt_position_x`; otherwise lists.
    live : bool, default False
        Ask for the present, or for `timestamp`.
    timestamp : time, optional
        Any form of a time: the one time of all answers, with or without `live`.
    suffixes : mapping of str to str, optional
        By reference table, what is added to names of its columns that are there already; left out, `_<table>`.
    batch_size, ref_batch_size : int
        Roots, and synapses, in one request at most; never more than 45,000, which is 1 MB.
    progress : bool or callable, default True
        Show a bar if it takes longer than two seconds; or what is called with how many ids were asked for, and how many
        there are: roots of each side, then synapses of each reference table.
    parts : mutable mapping, optional
        Takes the answer to each request as it comes. What is in it already is not asked again: a call that failed or
        was interrupted goes on where it stopped, if it is made once more with the same mapping. Answers of another
        time are not taken, so with `live` give a `timestamp`.

    Returns
    -------
    pandas.DataFrame
        One row per synapse, in order of `id`; a synapse with several rows in a reference table has as many. Ids are
        int64, those of reference tables Int64, for not all synapses have a row there. Without any synapse there are
        `id`, both root ids and the centre's position at least, typed. `attrs` holds `timestamp` (ISO 8601, UTC),
        `materialization` (int or None) and `dataset`.

    Raises
    ------
    InvalidInput
        Neither `pre` nor `post`.
    InvalidParameters
        A batch, or the resolution, is none, or a suffix is for another table.
    TableNotFound
    InvalidId, InvalidTime, VersionNotFound, SourceError
        As `get_synapses`. What the server cuts at its row limit is asked again in parts.

    Warns
    -----
    OutdatedRootWarning

    Notes
    -----
    Endpoints: as in `get_synapses`; the same for every reference table; `is_latest_roots` for roots without synapses.
    """
    if not (pre or post):
        raise InvalidInput("neither pre nor post is asked for", hint="set pre=True, post=True or both")
    further_tables = [reference_tables] if isinstance(reference_tables, str) else list(reference_tables or ())
    _check_mappings(suffixes=suffixes, parts=parts)
    _check_suffixes(suffixes or {}, further_tables)
    source, base = _whom(client, timestamp, live=live)
    asker = _Asker(source, base, _unit(resolution), progress, {} if parts is None else parts)
    sides = [side for side, is_asked in ((PRE, pre), (POST, post)) if is_asked]
    roots = root_ids_of(root_ids)
    rows = asker.synapses(synapse_table, roots, sides, batch_size)
    _warn_of_outdated(source, base, roots, rows, sides)
    if omit_self_synapse:
        rows = rows[rows[PRE].to_numpy() != rows[POST].to_numpy()].reset_index(drop=True)
    for table in further_tables:
        further = asker.references(table, rows[ID].to_numpy(), ref_batch_size)
        rows = merged(rows, further, (suffixes or {}).get(table, f"_{table}"))
    rows = rows if split_positions else _in_lists(rows)
    rows.attrs |= base.attrs(source.dataset.name)
    return rows


def merged(rows: pd.DataFrame, further: pd.DataFrame, suffix: str) -> pd.DataFrame:
    """Merge rows of a reference table into synapses: on the synapse that they are about, all synapses kept."""
    own = further.drop(columns=_TARGET).convert_dtypes(
        convert_string=False, convert_boolean=True, convert_floating=False, infer_objects=False
    )
    own = own.rename(columns={name: f"{name}{suffix}" for name in own if name in rows.columns})
    keyed = own.assign(**{ID: further[_TARGET].to_numpy(np.int64)})
    return rows.merge(keyed, on=ID, how="left", sort=False)


class _Asker:
    """Asks in batches, at one time."""

    def __init__(
        self,
        source: CaveSource,
        base: TimeBase,
        unit: Unit,
        progress: Progress,
        parts: MutableMapping[str, pd.DataFrame],
    ) -> None:
        self._source, self._base, self._unit, self._progress = source, base, unit, progress
        self._tables, self._parts = Tables(source), parts

    def synapses(self, name: str | None, roots: Any, sides: Sequence[str], size: int) -> pd.DataFrame:
        table = name or synapse_table(self._source)
        frames = [frame for side in sides for frame in self._frames(table, side, roots, size)]
        needed = (*ENDS, CENTRE)
        for frame in frames:
            check_columns(table, needed, frame)
        return joined(frames, needed)

    def references(self, name: str, synapses: Any, size: int) -> pd.DataFrame:
        frames = list(self._frames(name, _TARGET, synapses, size))
        for frame in frames:
            check_columns(name, (ID, _TARGET), frame)
        return joined(frames, (ID, _TARGET))

    def _frames(self, table: str, column: str, ids: Any, size: int) -> Iterator[pd.DataFrame]:
        place = "" if column == _TARGET else CENTRE
        unique = np.unique(ids).astype(np.uint64)
        for some in batches(unique, _most(size), progress=self._progress, what=table):
            name = self._name(table, column, some)
            if name not in self._parts:
                self._parts[name] = self._select(table, {column: some.tolist()}, place)
            yield self._parts[name]

    def _select(self, table: str, where: Mapping[str, list[int]], place: str) -> pd.DataFrame:
        try:
            return self._tables.select(table, where, self._base, resolution=self._unit, place=place)
        except SourceError as error:
            known = self._known() if error.value == HTTPStatus.NOT_FOUND else [table]
            if table in known:
                raise
            hint = f"known: {', '.join(get_close_matches(table, known, n=3, cutoff=0) or ['none'])}"
            raise TableNotFound(
                f"{self._source.dataset.name} has no table {table!r}", value=table, hint=hint
            ) from error

    def _known(self) -> list[str]:
        with asking(self._source.dataset.server):
            return list(self._source.client().materialize.get_tables(version=self._base.version))

    def _name(self, table: str, column: str, ids: Any) -> str:
        """Name an answer by all that it follows from."""
        asked = sha256(np.ascontiguousarray(ids).tobytes()).hexdigest()[:16]
        when = self._base.timestamp.isoformat()
        return f"{self._source.dataset.name} {table} {column} {asked} {when} {self._base.version} {self._unit}"


def _whom(client: Any, timestamp: When, *, live: bool) -> tuple[CaveSource, TimeBase]:
    """Return the source, and the time: one that was given, else the present if it is live, else the version."""
    source = getattr(client, "_source", None)
    is_client = hasattr(source, "resolve_time")
    found: Any = source if is_client else client
    version = client.version if is_client and timestamp is None and not live else "mat"
    when = timestamp if timestamp is not None else "live" if live else version
    return found, times.resolve(found, when)


def _most(size: Any) -> Any:
    """Bound a number of ids; `batches` refuses what is none."""
    return min(size, JSON_IDS) if hasattr(size, "__index__") else size


def _check_mappings(**given: Any) -> None:
    for name, value in given.items():
        if value is not None and not isinstance(value, Mapping):
            kind = type(value).__name__
            raise InvalidParameters(f"{name} cannot be a {kind}", value=kind, hint="a dict, or None")


def _check_suffixes(suffixes: Mapping[str, str], tables: Sequence[str]) -> None:
    for name in suffixes:
        if name not in tables:
            hint = f"reference_tables: {', '.join(tables) or 'none'}"
            raise InvalidParameters(f"a suffix is for {name!r}, which is no reference table", value=name, hint=hint)


def _warn_of_outdated(source: CaveSource, base: TimeBase, roots: Any, rows: pd.DataFrame, sides: Sequence[str]) -> None:
    """Ask about roots without synapses whether they hold at all; nothing is asked if there are none."""
    found = np.concatenate([rows[side].to_numpy(np.int64) for side in sides])
    without = np.setdiff1d(roots, found)
    holds = source.graph.is_latest(without, base.timestamp) if len(without) else np.empty(0, dtype=bool)
    outdated = without[~holds].tolist()
    if outdated:
        named = ", ".join(map(str, outdated[:_EXAMPLES])) + (" …" if len(outdated) > _EXAMPLES else "")
        when = base.timestamp.isoformat()
        message = f"{len(outdated)} roots do not hold at {when}, so they have no synapses: {named}"
        warn(message, OutdatedRootWarning, stacklevel=3)


def _unit(resolution: Any) -> Unit:
    try:
        unit = np.asarray(resolution, dtype=np.float64)
    except (TypeError, ValueError):
        unit = np.empty(0)
    if unit.shape != (3,) or not (np.isfinite(unit) & (unit > 0)).all():
        hint = "give nm along x, y and z, such as [1, 1, 1]"
        raise InvalidParameters(f"{resolution!r} is no resolution", value=str(resolution), hint=hint)
    return float(unit[0]), float(unit[1]), float(unit[2])


def _in_lists(rows: pd.DataFrame) -> pd.DataFrame:
    """Put the coordinates of each position into one column, where the first of them was."""
    columns = [str(name) for name in rows]
    names = [name[:-2] for name in columns if name.endswith("_x") and f"{name[:-2]}_z" in columns]
    cells = {name: pd.Series(positions(rows, name).tolist(), dtype=object) for name in names}
    order = [name[:-2] if name[:-2] in cells and name.endswith("_x") else name for name in columns]
    listed = without_axes(rows, names).assign(**cells)
    return listed[[name for name in order if name in listed]]
