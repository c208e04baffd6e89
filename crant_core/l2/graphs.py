"""Which L2 chunks of a neuron touch, as networks."""

from __future__ import annotations

from typing import Any

from crant_core.access import source_of
from crant_core.datasets import Dataset
from crant_core.l2.chunks import chunks_of, links_of
from crant_core.meshes.bulk import is_one, roots_of


def get_l2_graph(
    root_ids: Any, progress: bool = True, max_threads: int = 4, *, dataset: str | Dataset | None = None
) -> Any:
    """Fetch which L2 chunks of neurons touch.

    Source: `POST /segmentation/api/v1/table/{table}/node/leaves_many` for 1,000 neurons at a time, and
    `GET …/node/{root}/lvl2_graph` for each.

    Parameters
    ----------
    root_ids : ids or neurons
        Root ids as integers or strings, one or many; navis neurons; anything with `get_roots()`. Old roots work too.
    progress : bool
        Whether to show a bar if it takes longer than two seconds.
    max_threads : int
        Neurons on their way at a time.
    dataset : str or Dataset, optional
        Name or alias; left out, the default dataset.

    Returns
    -------
    networkx.Graph or list of networkx.Graph
        A graph for one id; a list for many and for a list of one, in input order, repetitions kept as graphs of their
        own. Nodes are L2 ids, int; all of the neuron's are there, also those that touch no other. An edge for each two
        that touch, without attributes. `graph.graph["root_id"]` is the neuron.

    Raises
    ------
    InvalidId
        Something is no root id.
    NotARoot
        The dataset has no such root.
    SourceError
    """
    source = source_of(dataset)
    roots = roots_of(source, root_ids)
    chunks = chunks_of(source, roots, progress=progress)
    links = links_of(source, chunks, threads=max_threads, progress=progress)
    graphs = [_graph(root, chunks[root], links[root]) for root in roots]
    return graphs[0] if is_one(root_ids) else graphs


def _graph(root: int, ids: Any, links: Any) -> Any:
    import networkx as nx

    found = nx.Graph(root_id=root)
    found.add_nodes_from(ids.tolist())
    found.add_edges_from(ids[links].tolist())
    return found
