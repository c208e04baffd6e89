"""Whether a skeleton is where its neuron is: the voxels at its nodes, asked at the neuron's own time."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from crant_core.errors import IdMismatch, NotARoot
from crant_core.morphology.made import Made
from crant_core.sources.cave import CaveSource

BACKGROUND = 0


def ids_at(source: CaveSource, root: int, nodes: NDArray[np.float64]) -> NDArray[np.uint64]:
    """Return the root at each node at the time when `root` came to be, (n,); 0 for background.

    Old roots are held against their own time: later ones own the same voxels.

    Source: the segmentation's bucket, each storage chunk once; `POST …/root_timestamps` and `POST …/roots_binary`.

    Raises
    ------
    NotARoot
    DataMissing
    SourceError
    """
    [born] = source.graph.root_timestamps([root])
    if born is None:
        raise NotARoot(f"{source.dataset.name} has no root {root}", value=root)
    supervoxels = source.watershed.at(nodes)
    found = source.graph.roots(supervoxels, born)
    return np.asarray(found, dtype=np.uint64)


def checked(source: CaveSource, made: Made, most_elsewhere: float) -> float:
    """Return the share of a skeleton's nodes that are in its neuron.

    Raises
    ------
    IdMismatch
        More than `most_elsewhere` of them are not; the message says where they are.
    DataMissing
    SourceError
    """
    found = ids_at(source, made.root, made.skeleton.nodes)
    match = float((found == made.root).mean())
    if 1 - match > most_elsewhere:
        raise IdMismatch(_message(made.root, found), value=1 - match, hint=_hint(most_elsewhere))
    return match


def _message(root: int, found: NDArray[np.uint64]) -> str:
    wrong = found[found != root]
    ids, counts = np.unique(wrong[wrong != BACKGROUND], return_counts=True)
    parts = [f"{(wrong == BACKGROUND).sum()} in no neuron"] if (wrong == BACKGROUND).any() else []
    if len(ids):
        most = counts.argmax()
        parts.append(f"{counts.sum()} in {len(ids)} other neurons, {counts[most]} of them in {ids[most]}")
    share = len(wrong) / len(found)
    return f"{len(wrong)} of {len(found)} nodes of {root} ({share:.1%}) are not in it: {'; '.join(parts)}"


def _hint(most_elsewhere: float) -> str:
    return f"{most_elsewhere:.0%} may be elsewhere; give elsewhere=… to allow for more"
