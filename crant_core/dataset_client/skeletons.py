"""Skeletons of a dataset's neurons, with their L2 graph and synapses."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

from crant_core.dataset_client.chunks import Chunks
from crant_core.dataset_client.space import Space
from crant_core.dataset_client.synapses import Synapses
from crant_core.ids import parse_id

if TYPE_CHECKING:
    import pandas as pd

_LATEST = 4
_PLACE = "ctr_pt_position"


class Skeletons(Chunks, Synapses, Space):
    """Cells of ossify from the skeleton service."""

    def get_skeleton(  # noqa: PLR0917 - the order that people know
        self,
        root_id: Any,
        synapses: bool = True,
        restore_graph: bool = False,
        restore_properties: bool = True,
        synapse_reference_tables: Sequence[str] | None = None,
        skeleton_version: int | None = None,
        transform: Literal["rigid", "streamline"] | None = None,
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
        synapse_reference_tables : sequence of str, optional
            Tables whose rows are merged into the synapses.
        skeleton_version : int, optional
            Of the skeleton service; left out, 4.
        transform : {"rigid", "streamline"}, optional
            Into the dataset's oriented frame, µm.

        Returns
        -------
        ossify.Cell
            `meta` has `units` ("nm" or "um"), `frame`, `transform_version`, `timestamp`, `datastack`, `root_id`.
            Radii are in the unit of the coordinates; features of L2 chunks have theirs in their names. L2 chunks
            without a place in the cache are NaN.

        Raises
        ------
        InvalidId, NotARoot
        InvalidInput
            The transform is none, or the dataset has no oriented frame.
        SourceError
        """
        from crant_core.dataset_client import ossified  # ossify

        root = parse_id(root_id)
        mover = ossified.mover(self.space, transform) if transform is not None else None
        when = self._valid_until(root)
        with self._asking():
            version = skeleton_version or _LATEST
            skeleton = self.cave.skeleton.get_skeleton(root, skeleton_version=version, output_format="dict")
        wanted = None if restore_properties else ["rep_coord_nm"]
        parts: dict[str, Any] = {"skeleton": skeleton, "l2_df": self._l2_rows(skeleton["lvl2_ids"], wanted)}
        if synapses:
            parts |= {f"{side}_syn_df": self._ends(root, side, when, synapse_reference_tables) for side in _SIDES}
        with self._asking():
            return ossified.assemble(self.cave, root, when, parts, restore_graph=restore_graph, move=mover)

    def _valid_until(self, root: int) -> Any:
        return self.latest_valid_timestamp([root])[0]  # type: ignore[attr-defined]

    def _l2_rows(self, ids: Any, wanted: Sequence[str] | None) -> pd.DataFrame:
        found: pd.DataFrame = self.get_l2data(ids, wanted).reset_index()
        return found

    def _ends(self, root: int, side: str, when: Any, tables: Sequence[str] | None) -> pd.DataFrame:
        """Return a neuron's synapses of one side, each with its L2 chunk."""
        import numpy as np

        found = self.query_synapses(
            [root], pre=side == "pre", post=side == "post", reference_tables=tables, timestamp=when, progress=False
        )
        supervoxels = found[f"{side}_pt_supervoxel_id"].to_numpy(np.uint64)
        chunks = self._source.graph.roots(supervoxels, when, 2).astype(np.int64)
        return found.assign(**{f"{side}_pt_l2_id": chunks})


_SIDES = ("pre", "post")
