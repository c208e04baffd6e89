"""Square nested matrices: the same neurons on both axes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from os import PathLike
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Self

from crant_core.matrices import building
from crant_core.matrices.axes import checked_axis
from crant_core.matrices.blocks import Blocks, weights_given
from crant_core.matrices.planning import Request

if TYPE_CHECKING:
    import pandas as pd

    from crant_core.datasets import Dataset
    from crant_core.matrices.collection import NeuropilCollection
    from crant_core.matrices.counting import Counts
    from crant_core.matrices.membership import Membership


class NestedMatrix(Blocks):
    """Connectivity between neurons that stand in blocks of their types.

    Instances are immutable; ids are strings; what properties return is read-only.

    Parameters
    ----------
    matrix : pandas.DataFrame or scipy.sparse array
        Rows are sources, columns targets. Index and columns are `ordered_neurons`.
    type_boundaries : mapping of str to (int, int)
        By type: where its neurons start and stop. The first starts at 0, and each starts where another stops.
    ordered_neurons : iterable
        Those without a type stand at the end.
    neuron_to_type : mapping
        May name neurons that the matrix does not have.

    Raises
    ------
    InvalidInput
        The four contradict each other.
    """

    __slots__ = ()

    def __init__(
        self,
        matrix: pd.DataFrame | Any,
        type_boundaries: Mapping[Any, tuple[int, int]],
        ordered_neurons: Iterable[Any],
        neuron_to_type: Mapping[Any, Any],
    ) -> None:
        axis = checked_axis(ordered_neurons, type_boundaries, neuron_to_type)
        self._set(weights_given(matrix, axis, axis), axis, axis)

    @property
    def type_boundaries(self) -> Mapping[str, tuple[int, int]]:
        """By type, in order: where its neurons start and stop."""
        return MappingProxyType(self._rows.boundaries)

    @property
    def ordered_neurons(self) -> tuple[str, ...]:
        """Neurons in the order of both axes."""
        return self._rows.neurons

    @property
    def neuron_to_type(self) -> Mapping[str, Any]:
        """The type of each neuron that has one."""
        return MappingProxyType(self._rows.types())

    @classmethod
    def from_connectivity(  # noqa: PLR0917 - as documented
        cls,
        connections_df: pd.DataFrame,
        neuron_annotations: pd.DataFrame,
        cell_type_column: str = "cell_type",
        neuron_id_column: str = "root_id",
        type_order: Sequence[Any] | None = None,
        annotation_scope: str = "annotated_only",
    ) -> Self:
        """Make a matrix of connectivity that is aggregated already.

        Parameters
        ----------
        connections_df : pandas.DataFrame
            An adjacency matrix (index and columns are neurons), or a list of edges with the columns `pre`, `post`,
            `weight`; or `source`, `target`, and `weight` or `n_syn`; or `type.from`, `type.to`, `weight`. Each pair
            occurs once; without a column of weights each weighs 1.
        neuron_annotations : pandas.DataFrame
            Of several rows of a neuron the first gives its place, and the first with a type its type. Missing types
            are None, NaN, NA or blank; the strings "nan" and "None" are types like others.
        cell_type_column, neuron_id_column : str
            Columns of the annotations.
        type_order : sequence, optional
            Types in order, as whole labels or as the letters they start with; others follow. Types are sorted by
            these letters, the first number and the label. Entries that no annotated type fits are logged.
        annotation_scope : {"annotated_only", "all"}
            Keep annotated neurons, or all; those without a type come after all types, then those that are not
            annotated.

        Raises
        ------
        WrongType
            This is no DataFrame.
        InvalidInput
            The table fits no format or several, or a pair occurs twice; a column is missing; an argument is unknown.
        InvalidId
            Ids are floats or missing.
        """
        request = Request(
            annotations=neuron_annotations,
            cell_type_column=cell_type_column,
            neuron_id_column=neuron_id_column,
            source_order=type_order,
            target_order=type_order,
            annotation_scope=annotation_scope,
        )
        return cls._made(*building.of_connectivity(connections_df, request))

    @classmethod
    def from_synapses(  # noqa: PLR0917 - as documented
        cls,
        synapses_df: pd.DataFrame,
        neuron_annotations: pd.DataFrame,
        pre_col: str = "pre_pt_root_id",
        post_col: str = "post_pt_root_id",
        weight_mode: str = "relative_outgoing",
        weight_column: str | None = None,
        cell_type_column: str = "cell_type",
        neuron_id_column: str = "root_id",
        type_order: Sequence[Any] | None = None,
        annotation_scope: str = "annotated_only",
    ) -> Self:
        """Make a matrix of synapses, one a row; rows that repeat an earlier `id` do not count.

        Parameters
        ----------
        synapses_df : pandas.DataFrame
        neuron_annotations, cell_type_column, neuron_id_column, type_order
            See `from_connectivity`.
        pre_col, post_col : str
            Columns of root ids.
        weight_mode : {"relative_outgoing", "relative_incoming", "count", "column"}
            Share of the source's synapses, share of the target's synapses, number of synapses, or the sum of
            `weight_column`.
        weight_column : str, optional
            Given if and only if the mode is "column".
        annotation_scope : {"annotated_only", "all"}
            Count synapses whose both neurons are annotated, or all.

        Raises
        ------
        InvalidInput
            A column, an id or a weight is missing; an argument is unknown; `weight_column` does not fit the mode.
        InvalidId
            Ids are floats.
        """
        request = Request(
            annotations=neuron_annotations,
            cell_type_column=cell_type_column,
            neuron_id_column=neuron_id_column,
            source_order=type_order,
            target_order=type_order,
            annotation_scope=annotation_scope,
            weight_mode=weight_mode,
            weight_column=weight_column,
        )
        return cls._made(*building.of_synapses(synapses_df, pre_col, post_col, request))

    @classmethod
    def from_synapses_by_neuropil(  # noqa: PLR0917 - as documented
        cls,
        synapses_df: pd.DataFrame,
        neuron_annotations: pd.DataFrame,
        neuropil_names: Sequence[str] | None = None,
        coordinates: str = "nm",
        position_column: str = "ctr_pt_position",
        pre_col: str = "pre_pt_root_id",
        post_col: str = "post_pt_root_id",
        weight_mode: str = "relative_outgoing",
        weight_column: str | None = None,
        cell_type_column: str = "cell_type",
        neuron_id_column: str = "root_id",
        type_order: Sequence[Any] | None = None,
        annotation_scope: str = "annotated_only",
        include_other: bool = True,
        voxel_offset: Sequence[float] | None = None,
        *,
        membership: Membership | None = None,
        dataset: str | Dataset | None = None,
    ) -> NeuropilCollection:
        """Make a matrix of the synapses in each neuropil; a synapse may be in several.

        Parameters
        ----------
        synapses_df : pandas.DataFrame
        neuron_annotations, cell_type_column, neuron_id_column, type_order
            See `from_connectivity`.
        neuropil_names : sequence of str, optional
            Left out: all that there are.
        coordinates : {"nm", "pixels"}
            Unit of the positions; pixels are the dataset's viewer resolution.
        position_column : str
            Column of [x, y, z], or the name before `_x`, `_y` and `_z` of three columns.
        pre_col, post_col, weight_mode, weight_column, annotation_scope
            See `from_synapses`; shares are shares within the neuropil.
        include_other : bool
            Put the synapses that are in no neuropil under `"other"`.
        voxel_offset : sequence of float, optional
            Added to pixels before they become nm.
        membership : Membership, optional
            Use these neuropils, such as `crant_core.neuropils.prepare(meshes)`, and not the dataset's.
        dataset : str, Dataset or None
            Name or alias; None: the default dataset.

        Returns
        -------
        NeuropilCollection
            By neuropil; those without synapses are left out.

        Raises
        ------
        InvalidInput
            As in `from_synapses`; a position is missing or not finite (its rows are named); `coordinates` is neither.
        NoMatchesError
            No neuropil has this name.

        Warns
        -----
        WrongUnitWarning
            Nearly all positions lie outside every neuropil's box.
        """
        request = Request(
            annotations=neuron_annotations,
            cell_type_column=cell_type_column,
            neuron_id_column=neuron_id_column,
            source_order=type_order,
            target_order=type_order,
            annotation_scope=annotation_scope,
            weight_mode=weight_mode,
            weight_column=weight_column,
        )
        where = building.Where(
            neuropil_names, coordinates, position_column, include_other, voxel_offset, membership, dataset
        )
        return building.by_neuropil(cls._made, synapses_df, pre_col, post_col, request, where)

    @classmethod
    def from_counts(  # noqa: PLR0917 - as documented
        cls,
        counts: Counts,
        neuron_annotations: pd.DataFrame,
        weight_mode: str = "relative_outgoing",
        cell_type_column: str = "cell_type",
        neuron_id_column: str = "root_id",
        type_order: Sequence[Any] | None = None,
        annotation_scope: str = "annotated_only",
    ) -> NeuropilCollection:
        """Make a matrix of each neuropil of counts, such as parts of a large table that were merged.

        Parameters
        ----------
        counts : Counts
            See `count_synapses_by_neuropil` and `merge`; for the mode "column" they are sums of weights.
        neuron_annotations, weight_mode, cell_type_column, neuron_id_column, type_order, annotation_scope
            See `from_synapses`.

        Returns
        -------
        NeuropilCollection
            What `from_synapses_by_neuropil` makes of the whole table.

        Raises
        ------
        InvalidInput
        """
        request = Request(
            annotations=neuron_annotations,
            cell_type_column=cell_type_column,
            neuron_id_column=neuron_id_column,
            source_order=type_order,
            target_order=type_order,
            annotation_scope=annotation_scope,
            weight_mode=weight_mode,
        )
        return building.of_counts(cls._made, counts, request)

    @classmethod
    def from_parquet(cls, path: str | PathLike[str]) -> Self:
        """Read what `to_parquet` wrote.

        Raises
        ------
        InvalidInput
            The file is none of these, or was written by a later version.
        """
        from crant_core.matrices import parquet

        return cls._made(*parquet.read_matrix(path, square=True))
