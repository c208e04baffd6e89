"""Skeletons of a dataset's neurons, with their L2 graph and synapses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from crant_core.bounds import is_whole
from crant_core.dataset_client.chunks import Chunks
from crant_core.dataset_client.space import Space
from crant_core.dataset_client.synapses import Synapses
from crant_core.errors import InvalidParameters
from crant_core.ids import parse_id

if TYPE_CHECKING:
    import pandas as pd

Tables: TypeAlias = str | Sequence[str] | None
References: TypeAlias = Tables | Mapping[str, Tables]
_SIDES = ("pre", "post")
_LATEST = 4
_VERSIONS = (-1, 0, 1, 2, 3, 4)  # of the skeleton service; -1 is its newest


def check_version(version: Any) -> None:
    """Refuse versions that skeletons of CAVE's service never had.

    Raises
    ------
    InvalidParameters
    """
    if not (is_whole(version) and version in _VERSIONS):
        hint = f"one of {', '.join(map(str, _VERSIONS))}"
        raise InvalidParameters(f"{version!r} is no version of skeletons", value=repr(version), hint=hint)


class Skeletons(Chunks, Synapses, Space):
    """Cells of ossify from the skeleton service."""

    def get_skeleton(  # noqa: PLR0917 - the order that people know
        self,
        root_id: Any,
        synapses: bool = True,
        restore_graph: bool = False,
        restore_properties: bool = True,
        synapse_reference_tables: References = None,
        skeleton_version: int | None = None,
        transform: Literal["rigid", "streamline"] | None = None,
        *,
        reference_tables: References = None,
    ) -> Any:
        """Fetch a neuron's skeleton, L2 chunks and synapses, of the last time that the root held.

        Parameters
        ----------
        root_id : id
        synapses : bool, default True
            Add `pre_syn` and `post_syn`, with the partners' root ids.
        restore_graph : bool, default False
            Add the edges between L2 chunks.
        restore_properties : bool, default True
            Add all features of L2 chunks, not only their places.
        synapse_reference_tables : str, sequence of str, or mapping, optional
            Tables whose rows are merged into the synapses; a mapping says them by side, `{"pre": …, "post": …}`.
        skeleton_version : int, optional
            Of the skeleton service; left out, 4.
        transform : {"rigid", "streamline"}, optional
            Into the dataset's oriented frame, µm.
        reference_tables
            The same as `synapse_reference_tables`, as cortical-tools 1.x calls it.

        Returns
        -------
        ossify.Cell
            `meta` has `units` ("nm" or "um"), `frame`, `transform_version` (of the dataset's frame) and
            `standard_transform` (the package's), `timestamp`, `datastack`, `root_id`. Radii are in the unit of the
            coordinates; features of L2 chunks have theirs in their names. L2 chunks without a place in the cache are
            NaN.

        Raises
        ------
        InvalidId, NotARoot
        InvalidInput
            The transform is none, the dataset has no oriented frame, or tables are given under both names.
        SourceError
        """
        from crant_core.dataset_client import ossified  # ossify

        root, tables = parse_id(root_id), _by_side(synapse_reference_tables, reference_tables)
        mover = ossified.mover(self.space, transform) if transform is not None else None
        when = self._valid_until(root)
        skeleton = self._skeleton(root, _LATEST if skeleton_version is None else skeleton_version)
        wanted = None if restore_properties else ["rep_coord_nm"]
        parts: dict[str, Any] = {"skeleton": skeleton, "l2_df": self._l2_rows(skeleton["lvl2_ids"], wanted)}
        if synapses:
            parts |= {f"{side}_syn_df": self._ends(root, side, when, tables[side]) for side in _SIDES}
        with self._asking():
            return ossified.assemble(self.cave, root, when, parts, restore_graph=restore_graph, move=mover)

    def _skeleton(self, root: int, version: int) -> Any:
        check_version(version)
        with self._asking():
            return self.cave.skeleton.get_skeleton(root, skeleton_version=version, output_format="dict")

    def _valid_until(self, root: int) -> Any:
        return self.latest_valid_timestamp([root])[0]  # type: ignore[attr-defined]

    def _l2_rows(self, ids: Any, wanted: Sequence[str] | None) -> pd.DataFrame:
        found: pd.DataFrame = self.get_l2data(ids, wanted).reset_index()
        return found

    def _ends(self, root: int, side: str, when: Any, tables: Tables) -> pd.DataFrame:
        """Return a neuron's synapses of one side, each with its L2 chunk."""
        import numpy as np

        found = self.query_synapses(
            [root], pre=side == "pre", post=side == "post", reference_tables=tables, timestamp=when, progress=False
        )
        supervoxels = found[f"{side}_pt_supervoxel_id"].to_numpy(np.uint64)
        chunks = self._source.graph.roots(supervoxels, when, 2).astype(np.int64)
        return found.assign(**{f"{side}_pt_l2_id": chunks})


def _by_side(tables: References, others: References) -> Mapping[str, Tables]:
    if tables is not None and others is not None:
        hint = "they are the same: give one of them"
        raise InvalidParameters("there are synapse_reference_tables and reference_tables", hint=hint)
    given = others if tables is None else tables
    if not isinstance(given, Mapping):
        return dict.fromkeys(_SIDES, given)
    if wrong := next((side for side in given if side not in _SIDES), None):
        raise InvalidParameters(f"{wrong!r} is no side of synapses", value=wrong, hint="pre or post")
    return {side: given.get(side) for side in _SIDES}
