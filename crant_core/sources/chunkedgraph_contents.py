"""What is inside nodes of the chunkedgraph: their leaves, and features of L2 chunks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from crant_core.sources.chunkedgraph_requests import Connection, Ids, asking, check_count, id_array, in_batches

_L2_IDS = 10_000  # each brings its features
_ROOTS_BY_SUPERVOXELS, _ROOTS_BY_CHUNKS = 20, 1_000  # a neuron has about 150,000 supervoxels and 400 L2 chunks


class Contents(Connection):
    """Leaves and features, in bulk."""

    roots_per_request = _ROOTS_BY_SUPERVOXELS  #: whose supervoxels `leaves_many` asks for at once

    def leaves(self, node: int, stop_layer: int = 1, bounds: ArrayLike | None = None) -> Ids:
        """List the nodes of one layer in a node; nothing if it does not exist.

        Source: `GET /segmentation/api/v1/table/{table}/node/{node}/leaves`.

        Parameters
        ----------
        node : int
        stop_layer : int
            1: supervoxels, 2: L2 chunks. Of higher layers those are missing that skip the layer.
        bounds : (3, 2), optional
            Box in voxels of the segmentation; nodes of the chunks it touches are listed.

        Returns
        -------
        (n,) uint64
        """
        box = None if bounds is None else np.asarray(bounds, dtype=np.int64)
        with asking(self.server):
            found = self._connect().chunkedgraph.get_leaves(int(node), bounds=box, stop_layer=stop_layer)
        return np.asarray(found).astype(np.uint64)

    def leaves_many(
        self,
        nodes: ArrayLike,
        stop_layer: int = 1,
        bounds: ArrayLike | None = None,
        *,
        batch_size: int | None = None,
        progress: bool = False,
    ) -> dict[int, Ids]:
        """List the nodes of one layer in many nodes, as `leaves` does.

        Source: `POST /segmentation/api/v1/table/{table}/node/leaves_many`.

        Parameters
        ----------
        nodes : array_like of int, (n,)
        stop_layer, bounds
            As for `leaves`.
        batch_size : int, optional
            Nodes per request; left out, as many roots as make an answer of some 10 MB.

        Returns
        -------
        dict of int to (m,) uint64
            In the order of the nodes; empty for what does not exist, and for 0.
        """
        asked = id_array(nodes)
        size = batch_size or (_ROOTS_BY_SUPERVOXELS if stop_layer == 1 else _ROOTS_BY_CHUNKS)
        found: dict[int, Ids] = dict.fromkeys(asked.tolist(), np.empty(0, dtype=np.uint64))
        unique = np.array([node for node in found if node], dtype=np.uint64)
        box = None if bounds is None else np.asarray(bounds, dtype=np.int64)

        def ask(part: Ids) -> dict[int, Ids]:
            return self._leaves_of(part.tolist(), stop_layer, box)

        for _, answer in in_batches(unique, size, ask, progress=progress, what="leaves"):
            found.update(answer)
        return found

    def _leaves_of(self, nodes: Sequence[int], stop_layer: int, box: NDArray[np.int64] | None) -> dict[int, Ids]:
        with asking(self.server):
            answer = self._connect().chunkedgraph.get_leaves_many(nodes, bounds=box, stop_layer=stop_layer)
        found = {int(node): id_array(leaves) for node, leaves in answer.items()}
        check_count(self.server, sum(node in found for node in nodes), len(nodes))
        return found

    def l2_data(
        self, ids: ArrayLike, attributes: Sequence[str] | None = None, *, progress: bool = False
    ) -> dict[int, dict[str, Any]]:
        """Fetch features of L2 chunks, in nm, nm² and nm³.

        Source: `POST /l2cache/api/v1/table/{table}/attributes`.

        Returns
        -------
        dict of int to dict
            By id, in the order of the ids; empty for chunks without features, such as those of fresh edits.
        """
        found: dict[int, dict[str, Any]] = {l2_id: {} for l2_id in id_array(ids).tolist()}
        names = None if attributes is None else list(attributes)

        def ask(part: Ids) -> dict[str, Any]:
            with asking(self.server):
                answer: dict[str, Any] = self._connect().l2cache.get_l2data(part.tolist(), attributes=names)
            return answer

        unique = np.array([*found], dtype=np.uint64)
        for _, answer in in_batches(unique, _L2_IDS, ask, progress=progress, what="L2 features"):
            found.update({int(l2_id): features for l2_id, features in answer.items() if int(l2_id) in found})
        return found
