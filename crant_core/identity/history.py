"""The edits behind a neuron, and the time when some neurons existed together."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from crant_core.access import source_of
from crant_core.errors import InvalidInput, NeverTogether, NotARoot
from crant_core.identity.memory import Memory
from crant_core.parsing import root_ids_of

if TYPE_CHECKING:
    import networkx as nx

    from crant_core.sources.chunkedgraph import ChunkedGraphSource
    from crant_core.sources.chunkedgraph_lineage import Lineage

Life = tuple[datetime, datetime | None]  #: from the first moment, included, to the last, excluded; None: it still holds


def get_lineage_graph(x: Any, progress: bool = True, *, dataset: Any = None) -> nx.DiGraph:
    """Tell the history of edits of a neuron: everything it was made of, and everything it became until now.

    Parameters
    ----------
    x : id, ids or neurons
        One root; of several, the graph of all of them.
    progress : bool, default True
        Show a bar if it takes longer than two seconds.
    dataset : str, optional
        Name or alias; left out, the default dataset.

    Returns
    -------
    networkx.DiGraph
        Nodes are root ids (int), edges lead from a root to those that an edit made of it. Nodes have `timestamp`, when
        the root was made (float, unix seconds), and `operation_id`, the edit that made it: roots that no edit made
        have none, and neither have those of edits whose number the server does not tell. What else became of the
        roots it was made of is not in it.

    Raises
    ------
    InvalidId
    NotARoot
        The id never was a root.
    SourceError

    Notes
    -----
    Endpoint: `POST /segmentation/api/v1/table/{table}/lineage_graph_multiple`.
    """
    graph = source_of(dataset).graph
    roots = root_ids_of(x)
    found = graph.lineage(roots, progress=progress)
    _check_known(roots.tolist(), found, graph)
    return _as_digraph(found)


def find_common_time(root_ids: Any, progress: bool = True, *, dataset: Any = None) -> datetime:
    """Find a time at which all of some roots existed.

    Parameters
    ----------
    root_ids : ids or neurons
        Root ids, current or outdated, as integers or strings.
    progress : bool, default True
        Show a bar if it takes longer than two seconds.
    dataset : str, optional
        Name or alias; left out, the default dataset.

    Returns
    -------
    datetime
        UTC, in the middle between the last beginning and the first end; roots that still hold end now.

    Raises
    ------
    InvalidInput
        There are no ids.
    NeverTogether
        One root was made when, or after, another one ended; both are named. Their beginning and end may be the same
        moment, at which only the newer one holds.
    NotARoot
        An id never was a root.
    SourceError

    Notes
    -----
    Endpoint: `POST /segmentation/api/v1/table/{table}/lineage_graph_multiple`, once for every 5,000 roots whose end is
    not remembered.
    """
    graph = source_of(dataset).graph
    roots = list(dict.fromkeys(root_ids_of(root_ids).tolist()))
    if not roots:
        raise InvalidInput("there are no ids", value=[], hint="give at least one root id")
    lives = lifetimes(graph, roots, progress=progress)
    last_made = max(roots, key=lambda root: lives[root][0])
    start, ends = lives[last_made][0], {root: end for root, (_, end) in lives.items() if end is not None}
    if not ends:
        return start + max(datetime.now(UTC) - start, timedelta(0)) / 2  # the server's clock may be ahead
    first_ended = min(ends, key=lambda root: ends[root])
    if start >= ends[first_ended]:
        message = f"{last_made} was made at {start.isoformat()}, {first_ended} ended at {ends[first_ended].isoformat()}"
        hint = "they never existed together; map them to one time with update_ids"
        raise NeverTogether(message, value=(first_ended, last_made), hint=hint)
    return start + (ends[first_ended] - start) / 2


def lifetimes(graph: ChunkedGraphSource, roots: Sequence[int], *, progress: bool = False) -> dict[int, Life]:
    """Return when each root was made and when it ended; roots whose end is remembered are not asked about.

    Raises
    ------
    NotARoot
    """
    memory = Memory.of(graph)
    found = memory.lives(roots)
    asked = [root for root in roots if root not in found.whole]
    if asked:
        now = datetime.now(UTC)
        told = graph.lineage(asked, now, now, progress=progress)
        memory.keep_lives(told)
        found.add(told)
    _check_known(roots, found, graph)
    return {root: (found.born[root], found.ended(root)) for root in roots}


def _check_known(roots: Sequence[int], found: Lineage, graph: ChunkedGraphSource) -> None:
    unknown = [root for root in roots if root not in found.born]
    if unknown:
        others = f" and {len(unknown) - 1} others" if len(unknown) > 1 else ""
        hint = f"{graph.server} knows no such root: is it of another dataset, or a supervoxel?"
        raise NotARoot(f"{unknown[0]}{others} never was a root", value=unknown[0], hint=hint)


def _as_digraph(found: Lineage) -> nx.DiGraph:
    import networkx as nx

    graph = nx.DiGraph()
    for root, born in found.born.items():
        graph.add_node(root, timestamp=born.timestamp())
    for old, heirs in found.heirs.items():
        graph.add_edges_from((old, new) for new in heirs)
        if old in found.operations:
            graph.add_nodes_from(heirs, operation_id=found.operations[old])
    return graph
