"""What square and rectangular nested matrices have in common: weights between two axes, sparse and read-only."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array, issparse

from crant_core.errors import InvalidInput, TooDense, WrongType
from crant_core.matrices.axes import Axis
from crant_core.matrices.normalising import by_row
from crant_core.matrices.reading import neuron_labels

if TYPE_CHECKING:
    from os import PathLike
    from pathlib import Path

    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

#: A matrix with more cells than this, 512 MB of float64, becomes dense only if one says so.
DENSE_CELLS = 64_000_000
_DIGITS = 18  # of a number that is surely an int64


class Blocks:
    """Weights between the neurons of two axes, in blocks of types; read-only.

    Kept as a sparse matrix. What is shown as a `pandas.DataFrame` is a read-only view of a dense copy, which is made
    when it is first asked for and only below `DENSE_CELLS`; `.copy()` it to edit it.
    """

    __slots__ = ("_columns", "_dense", "_rows", "_weights")

    _weights: Any
    _rows: Axis
    _columns: Axis
    _dense: NDArray[np.float64] | None

    @classmethod
    def _made(cls, weights: Any, rows: Axis, columns: Axis) -> Self:
        """Make one of parts that are known to fit."""
        found = cls.__new__(cls)
        found._set(weights, rows, columns)
        return found

    def _set(self, weights: Any, rows: Axis, columns: Axis) -> None:
        if not weights.data.all():
            weights = weights.copy()
            weights.eliminate_zeros()
        for array in (weights.data, weights.indices, weights.indptr):
            array.flags.writeable = False
        self._weights, self._rows, self._columns, self._dense = weights, rows, columns, None

    def __reduce__(self) -> tuple[Any, ...]:
        return _remade, (type(self), self._weights, self._rows, self._columns)

    def __repr__(self) -> str:
        size = " × ".join(f"{count:,}" for count in self.shape)
        return f"<{type(self).__name__}: {size} neurons, {self._weights.nnz:,} connections>"

    @property
    def shape(self) -> tuple[int, int]:
        """How many neurons there are on each axis."""
        return len(self._rows), len(self._columns)

    @property
    def sparse(self) -> Any:
        """The weights, scipy.sparse.csr_array of float64; its arrays are read-only."""
        return csr_array(self._weights)

    @property
    def matrix(self) -> pd.DataFrame:
        """Read-only matrix of neurons: rows are sources, columns are targets, float64.

        Raises
        ------
        TooDense
            It has more than `DENSE_CELLS` cells.
        """
        if self._dense is None:
            self._dense = _read_only(dense(self._weights))
        return _table(self._dense, self._rows.neurons, self._columns.neurons)

    @property
    def sum_type_matrix(self) -> pd.DataFrame:
        """Read-only sum of the weights between the neurons of each pair of types."""
        return _table(_read_only(self._type_sums()), self._rows.boundaries, self._columns.boundaries)

    @property
    def mean_type_matrix(self) -> pd.DataFrame:
        """Read-only mean of the weights between the neurons of each pair of types, zeros included."""
        pairs = np.multiply.outer(self._rows.sizes, self._columns.sizes)
        return _table(_read_only(self._type_sums() / pairs), self._rows.boundaries, self._columns.boundaries)

    def get_relative_weights(self, by_type: bool = False) -> pd.DataFrame:
        """Divide each row by its sum.

        Parameters
        ----------
        by_type : bool
            Of `sum_type_matrix`, and not of the neurons.

        Returns
        -------
        pandas.DataFrame
            Rows add up to 1; those whose sum is 0 stay 0.

        Raises
        ------
        TooDense
            It has more than `DENSE_CELLS` cells; `relative_sparse` stays sparse.
        """
        if by_type:
            shares = by_row(csr_array(self._type_sums()))
            return _table(shares.toarray(), self._rows.boundaries, self._columns.boundaries)
        hint = "use .relative_sparse or get_relative_weights(by_type=True), or choose fewer neurons"
        return _table(dense(by_row(self._weights), hint=hint), self._rows.neurons, self._columns.neurons)

    @property
    def relative_sparse(self) -> Any:
        """What `get_relative_weights` returns, as a scipy.sparse.csr_array of any size; `.sparse` has its order."""
        return by_row(self._weights)

    def edges(self) -> pd.DataFrame:
        """List the connections: columns `pre`, `post` (int64 where all neurons are ids, else str) and `weight`."""
        import pandas as pd

        pre = ids_or_names(self._rows.neurons)[np.repeat(np.arange(self.shape[0]), np.diff(self._weights.indptr))]
        post = ids_or_names(self._columns.neurons)[self._weights.indices]
        return pd.DataFrame({"pre": pre, "post": post, "weight": self._weights.data.copy()})

    def to_frame(self, *, max_cells: int | None = DENSE_CELLS) -> pd.DataFrame:
        """Return a dense copy of the matrix.

        Parameters
        ----------
        max_cells : int or None
            How many cells it may have; None: as many as there are, 8 bytes each.

        Raises
        ------
        TooDense
        """
        return _table(dense(self._weights, max_cells), self._rows.neurons, self._columns.neurons)

    def to_parquet(self, path: str | PathLike[str]) -> Path:
        """Write the connections as a table, and axes, types and their order into its metadata; see `from_parquet`."""
        from crant_core.matrices import parquet

        return parquet.write_matrix(self, path)

    def to_networkx(self) -> Any:
        """Return a `networkx.DiGraph`: nodes are neurons, with their `type` if they have one; edges have a `weight`."""
        from crant_core.matrices import conversion

        return conversion.to_networkx(self)

    def to_anndata(self) -> Any:
        """Return an `anndata.AnnData`: `X` is sparse, `obs` are sources and `var` targets, with their `type`.

        Raises
        ------
        NotInstalled
            anndata is not installed.
        """
        from crant_core.matrices import conversion

        return conversion.to_anndata(self)

    def plot(  # noqa: PLR0917 - as documented
        self,
        output_path: str | PathLike[str] | None = None,
        level: str = "neuron",
        figsize: tuple[float, float] = (16, 14),
        show_neuron_labels: bool = False,
        vmin_percentile: float = 0.0,
        vmax_percentile: float = 100.0,
        min_neurons_for_plot: int = 1,
        linewidth_scale: float = 1.0,
    ) -> tuple[Figure, Axes]:
        """Draw the matrix as a heat map: sources upwards, targets to the right, white to purple.

        Parameters
        ----------
        output_path : str or path, optional
            Save the picture in this file, at 300 dpi; its folder is made if it is not there.
        level : {"neuron", "type_mean", "type_sum"}
            Draw `matrix` with the boundaries of types, `mean_type_matrix` or `sum_type_matrix`.
        figsize : (float, float)
            Width and height in inches.
        show_neuron_labels : bool
            Label neurons, and not types; only for the level "neuron".
        vmin_percentile, vmax_percentile : float
            Percentiles of the values that are not 0 where the colours start and end; 0 itself is white.
        min_neurons_for_plot : int
            Leave out types with fewer neurons; 1 or more. Neurons without a type, which are labelled as such at the
            end of an axis, are left out if it is more than 1.
        linewidth_scale : float
            Factor for the width of boundaries.

        Returns
        -------
        figure : matplotlib.figure.Figure
            Of its own: `pyplot` does not know it, so nothing has to be closed.
        axes : matplotlib.axes.Axes

        Raises
        ------
        InvalidInput
            An argument is out of its range.
        NoMatchesError
            Nothing is left to draw.
        TooDense
            The level "neuron" has more than `DENSE_CELLS` cells.
        """
        from crant_core.matrices import picture

        style = picture.Style(
            figsize=figsize,
            neuron_labels=show_neuron_labels,
            percentiles=(vmin_percentile, vmax_percentile),
            least=min_neurons_for_plot,
            line_width=linewidth_scale,
        )
        return picture.draw(self._weights, self._rows, self._columns, level, style, output_path)

    def _type_sums(self) -> NDArray[np.float64]:
        return np.asarray((self._rows.indicator() @ self._weights @ self._columns.indicator().T).toarray())


def dense(weights: Any, max_cells: int | None = DENSE_CELLS, hint: str | None = None) -> NDArray[np.float64]:
    """Write a sparse matrix out with its zeros.

    Parameters
    ----------
    weights : scipy.sparse array
    max_cells : int or None
        How many cells it may have.
    hint : str, optional
        What to do if it has more; left out, what one does with a matrix.

    Raises
    ------
    TooDense
        It has more cells than it may have.
    """
    cells = weights.shape[0] * weights.shape[1]
    if max_cells is not None and cells > max_cells:
        hint = hint or (
            "use .sparse, .edges(), .sum_type_matrix or .to_parquet(), choose fewer neurons, or say "
            f"to_frame(max_cells=None), which takes {cells * 8 / 1e9:.1f} GB"
        )
        message = f"the matrix has {weights.shape[0]:,} × {weights.shape[1]:,} cells, above the limit of {max_cells:,}"
        raise TooDense(message, value=cells, hint=hint)
    return np.asarray(weights.toarray(), dtype=np.float64)


def weights_given(matrix: Any, rows: Axis, columns: Axis) -> Any:
    """Read what a constructor was given: a DataFrame with these labels, or a sparse matrix of this shape.

    Raises
    ------
    WrongType
        It is neither.
    InvalidInput
        Shape or labels differ from the axes, or a weight is not a finite number.
    """
    if not issparse(matrix) and not hasattr(matrix, "columns"):
        hint = "give a pandas.DataFrame or a scipy.sparse array"
        raise WrongType(f"the matrix is a {type(matrix).__name__}", value=type(matrix).__name__, hint=hint)
    if matrix.shape != (len(rows), len(columns)):
        message = f"the matrix is {matrix.shape[0]} × {matrix.shape[1]}, the axes are {len(rows)} × {len(columns)}"
        raise InvalidInput(message, value=matrix.shape)
    if issparse(matrix):
        found = csr_array(matrix, dtype=np.float64, copy=True)
        found.sum_duplicates()
    else:
        _check_labels(matrix, rows, columns)
        found = csr_array(matrix.to_numpy(dtype=np.float64, na_value=np.nan))
    if not np.isfinite(found.data).all():
        raise InvalidInput("the matrix has cells that are not finite numbers")
    return found


def _check_labels(matrix: pd.DataFrame, rows: Axis, columns: Axis) -> None:
    for name, labels, axis in (("index", matrix.index, rows), ("columns", matrix.columns, columns)):
        given = neuron_labels(labels)
        for place, (label, neuron) in enumerate(zip(given, axis.neurons, strict=True)):
            if label != neuron:
                message = f"at place {place} the {name} of the matrix says {label}, and the axis says {neuron}"
                hint = "the same neurons in another order" if set(given) == set(axis.neurons) else "other neurons"
                raise InvalidInput(message, value=label, hint=hint)


def ids_or_names(labels: Sequence[str]) -> NDArray[Any]:
    """Return neurons as int64 if all of them are ids, else as strings."""
    if all(label.isdecimal() and label == str(int(label)) and len(label) <= _DIGITS for label in labels):
        return np.array([int(label) for label in labels], dtype=np.int64)
    return np.array(labels, dtype=object)


def _remade(cls: type[Blocks], weights: Any, rows: Axis, columns: Axis) -> Blocks:
    return cls._made(weights, rows, columns)


def _read_only(array: NDArray[np.float64]) -> NDArray[np.float64]:
    array.flags.writeable = False
    return array


def _table(values: NDArray[np.float64], rows: Any, columns: Any) -> pd.DataFrame:
    import pandas as pd

    labels = (pd.Index(list(axis), dtype=object) for axis in (rows, columns))
    index, names = labels
    return pd.DataFrame(values, index=index, columns=names, copy=False)
