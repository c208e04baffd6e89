"""Annotation tables as versions froze them, or as they are at a time: asked by ids, whole or not at all."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from http import HTTPStatus
from typing import TYPE_CHECKING

import numpy as np

from crant_core.errors import InvalidInput, SourceError, Truncated
from crant_core.sources.chunkedgraph_requests import JSON_IDS, asking
from crant_core.sources.table_parts import Box, Part, around, batches_of
from crant_core.sources.table_requests import Wanted, ask, check_columns

if TYPE_CHECKING:
    import pandas as pd

    from crant_core.sources.cave import CaveSource
    from crant_core.times import TimeBase


class Tables:
    """The tables and views of one datastack. Threads may share it; nothing is asked before it is used.

    An answer that the server cut at its row limit is not used: its ids are asked in two halves instead, as often as is
    needed.

    Parameters
    ----------
    source : CaveSource
        Whose caveclient is used; what people set on theirs, such as `version`, changes nothing here.
    """

    def __init__(self, source: CaveSource) -> None:
        self._source = source

    def rows(
        self, name: str, column: str, values: Sequence[int], columns: Sequence[str], version: int, *, view: bool = False
    ) -> pd.DataFrame:
        """Fetch the rows of a version in which a column has one of some ids.

        Source: `POST /materialize/api/v3/datastack/{datastack}/version/{version}/table/{name}/query`, for views
        `…/views/{name}/query`, once for every 45,000 ids.

        Parameters
        ----------
        name : str
            A table, or with `view` a view. Of a table that refers to another one, its own columns.
        column : str
            Such as `id` or `pt_root_id`.
        values : sequence of int
            Ids; of equal ones each is asked once.
        columns : sequence of str
            Those wanted, which hold ids.
        version : int
        view : bool
            Whether it is a view.

        Returns
        -------
        DataFrame
            The columns wanted, all of type Int64, in no particular order; empty if no ids are given.

        Raises
        ------
        VersionNotFound
            The version has expired.
        Truncated
            One id has more rows than the server gives.
        SourceError
        """
        import pandas as pd

        wanted = Wanted(name, version, columns=tuple(columns), is_view=view)
        parts = [pd.DataFrame({each: pd.Series(dtype="Int64") for each in columns})]
        parts += [_exact(frame, list(columns), name) for frame in self._frames(wanted, batches_of({column: values}))]
        return pd.concat(parts, ignore_index=True)

    def select(
        self,
        name: str,
        where: Mapping[str, Iterable[int]],
        base: TimeBase,
        columns: Sequence[str] = (),
        *,
        resolution: tuple[float, float, float] | None = None,
        place: str = "",
        box: Box | None = None,
        size: int = JSON_IDS,
    ) -> pd.DataFrame:
        """Fetch the rows in which each of some columns has one of its ids, or those in a box, or both.

        Source: with a version `POST /materialize/api/v3/datastack/{datastack}/version/{version}/table/{name}/query`,
        else `POST /materialize/api/v3/datastack/{datastack}/query`, which looks up the roots of that time itself. One
        request for every `size` ids, and two more for each that the server cut.

        Parameters
        ----------
        name : str
            A table; of one that refers to another one, its own columns.
        where : mapping of str to ids
            By column, such as `pre_pt_root_id`; a row must meet all. For a column without ids there are no rows.
        base : TimeBase
            A version, or a time.
        columns : sequence of str, optional
            Those wanted, `id` among them; a position by its name without the axis. Left out: all.
        resolution : tuple of float, optional
            Unit of positions, nm; left out, the table's own.
        place : str, optional
            The position by which the rows of one id are asked in boxes, bisected until the server gives them whole, if
            it has too many. Every row must have one.
        box : Box, optional
            In voxels of the table (CAVE's `filter_spatial_dict`): only rows whose `place` is in it or on its faces. It
            is bisected if the server has too many rows there.
        size : int, optional
            Ids in one request at most.

        Returns
        -------
        DataFrame
            Each row once, as the server types it, in order of `id` if it is there. Servers add the supervoxel to every
            root; positions are in columns `*_x`, `*_y`, `*_z`. Where nothing was asked, there are no columns.

        Raises
        ------
        InvalidInput
            Nothing says which rows: neither ids nor a box, or a box without a `place`.
        VersionNotFound
            The version has expired.
        Truncated
            One id has more rows than the server gives, and there is no `place`, or they are all in one.
        SourceUnavailable
            The newest rows are not looked up yet.
        SourceError
            The table has no such column, or the server refused for another reason.
        """
        import pandas as pd

        wanted = Wanted(name, base.version, base.timestamp, tuple(columns), resolution)
        _check_conditions(name, where, place, box)
        parts = list(batches_of(where, place, size, box))
        try:
            frames = list(self._frames(wanted, parts))
        except SourceError as error:
            version = self._version_at(base) if error.value == HTTPStatus.BAD_REQUEST else None
            if version is None:
                raise
            wanted = replace(wanted, version=version)
            frames = list(self._frames(wanted, parts))
        for frame in frames:
            check_columns(name, columns, frame)
        return _each_once(pd.concat(frames, ignore_index=True)) if frames else pd.DataFrame()

    def _frames(self, wanted: Wanted, parts: Iterable[Part]) -> Iterator[pd.DataFrame]:
        """Yield whole answers that together are the answer to all parts."""
        waiting = list(parts)[::-1]
        while waiting:
            part = waiting.pop()
            try:
                yield ask(self._source, wanted, part)
            except Truncated:
                smaller = self._smaller(wanted, part)
                if not smaller:
                    raise
                waiting += smaller[::-1]

    def _smaller(self, wanted: Wanted, part: Part) -> tuple[Part, ...]:
        halves = part.fewer_ids()
        if halves or not part.place:
            return halves
        boxes = around(self._volume(wanted)) if part.box is None else part.box.halves()
        return part.inside(boxes or ())

    def _volume(self, wanted: Wanted) -> Box:
        """Return the box of the segmentation in a table's voxels, rounded outwards."""
        with asking(self._source.dataset.server):
            client = self._source.client()
            scale = client.chunkedgraph.segmentation_info["scales"][0]
            table = client.materialize.get_table_metadata(wanted.table, version=wanted.version, log_warning=False)
        unit = np.array(scale["resolution"]) / np.array(table["voxel_resolution"])
        low = np.array(scale["voxel_offset"])
        x, y, z = zip(np.floor(low * unit), np.ceil((low + scale["size"]) * unit), strict=True)
        return Box((int(x[0]), int(y[0]), int(z[0])), (int(x[1]), int(y[1]), int(z[1])))

    def _version_at(self, base: TimeBase) -> int | None:
        """Return the version of exactly this time, which servers refuse to look up live."""
        if base.version is not None:
            return None
        with asking(self._source.dataset.server):
            materialize = self._source.client().materialize
            known = materialize.get_versions()
            return next((int(each) for each in known if materialize.get_timestamp(each) == base.timestamp), None)


def _check_conditions(name: str, where: Mapping[str, Iterable[int]], place: str, box: Box | None) -> None:
    if box is not None and not place:
        raise InvalidInput("there is a box, and no position that is to be in it", value=box, hint="name its `place`")
    if box is None and not where:
        hint = "give ids by column, or a box: a whole table is more than servers give"
        raise InvalidInput(f"nothing says which rows of {name} are wanted", value=name, hint=hint)


def _each_once(frame: pd.DataFrame) -> pd.DataFrame:
    """Drop what touching boxes both had, and order rows."""
    if "id" not in frame:
        return frame
    return frame.drop_duplicates("id").sort_values("id", kind="stable", ignore_index=True)


def _exact(frame: pd.DataFrame, columns: list[str], name: str) -> pd.DataFrame:
    """Return columns of ids as Int64, or refuse them: an id that was a float has lost digits."""
    for column in columns:
        if column not in frame or frame[column].dtype.kind not in "iu":
            raise SourceError(f"the answer has no ids in column {column} of {name}", value=column)
    return frame[columns].astype("Int64").reset_index(drop=True)
