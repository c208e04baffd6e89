"""Nested matrices as objects of other libraries."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from crant_core.errors import NotInstalled

if TYPE_CHECKING:
    import pandas as pd

    from crant_core.matrices.axes import Axis
    from crant_core.matrices.blocks import Blocks


def to_networkx(matrix: Blocks) -> Any:
    """Return a `networkx.DiGraph`; see `Blocks.to_networkx`."""
    import networkx as nx

    graph = nx.DiGraph()
    for axis in (matrix._rows, matrix._columns):
        types = axis.types()
        graph.add_nodes_from(axis.neurons)
        graph.add_nodes_from((neuron, {"type": kind}) for neuron, kind in types.items())
    weights = matrix.sparse
    pre = np.repeat(np.arange(weights.shape[0]), np.diff(weights.indptr)).tolist()
    edges = zip(pre, weights.indices.tolist(), weights.data.tolist(), strict=True)
    rows, columns = matrix._rows.neurons, matrix._columns.neurons
    graph.add_weighted_edges_from((rows[source], columns[target], weight) for source, target, weight in edges)
    return graph


def to_anndata(matrix: Blocks) -> Any:
    """Return an `anndata.AnnData`; see `Blocks.to_anndata`."""
    try:
        import anndata
    except ImportError as error:
        raise NotInstalled("anndata is not installed", value="anndata", hint="pip install anndata") from error
    weights = matrix.sparse.copy()
    return anndata.AnnData(X=weights, obs=_described(matrix._rows), var=_described(matrix._columns))


def _described(axis: Axis) -> pd.DataFrame:
    import pandas as pd

    types = axis.types()
    labels = pd.Categorical([types.get(neuron) for neuron in axis.neurons], categories=list(axis.boundaries))
    return pd.DataFrame({"type": labels}, index=pd.Index(axis.neurons, dtype=object))
