"""Rectangular nested matrices: sources on the rows, other neurons on the columns."""

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


class DirectedNestedMatrix(Blocks):
    """Connectivity from some neurons to others, both in blocks of their types.

    Instances are immutable; ids are strings; what properties return is read-only.

    Parameters
    ----------
    matrix : pandas.DataFrame or scipy.sparse array
        Index and columns are `source_neurons` and `target_neurons`.
    source_neurons, target_neurons : iterable
        Those without a type stand at the end.
    source_type_boundaries, target_type_boundaries : mapping of str to (int, int), optional
        By type: where its neurons start and stop. Left out, they follow from the types of the neurons.
    source_neuron_to_type, target_neuron_to_type : mapping, optional
        May name other neurons. Left out, they follow from the boundaries.

    Raises
    ------
    InvalidInput
        These contradict each other.
    """

    __slots__ = ()

    def __init__(  # noqa: PLR0917 - as documented
        self,
        matrix: pd.DataFrame | Any,
        source_neurons: Iterable[Any],
        target_neurons: Iterable[Any],
        source_type_boundaries: Mapping[Any, tuple[int, int]] | None = None,
        target_type_boundaries: Mapping[Any, tuple[int, int]] | None = None,
        source_neuron_to_type: Mapping[Any, Any] | None = None,
        target_neuron_to_type: Mapping[Any, Any] | None = None,
    ) -> None:
        rows = checked_axis(source_neurons, source_type_boundaries, source_neuron_to_type)
        columns = checked_axis(target_neurons, target_type_boundaries, target_neuron_to_type)
        self._set(weights_given(matrix, rows, columns), rows, columns)

    @property
    def source_neurons(self) -> tuple[str, ...]:
        """Neurons in the order of the rows."""
        return self._rows.neurons

    @property
    def target_neurons(self) -> tuple[str, ...]:
        """Neurons in the order of the columns."""
        return self._columns.neurons

    @property
    def source_type_boundaries(self) -> Mapping[str, tuple[int, int]]:
        """By type of the sources, in order: the slice of its rows."""
        return MappingProxyType(self._rows.boundaries)

    @property
    def target_type_boundaries(self) -> Mapping[str, tuple[int, int]]:
        """By type of the targets, in order: the slice of its columns."""
        return MappingProxyType(self._columns.boundaries)

    @property
    def source_neuron_to_type(self) -> Mapping[str, Any]:
        """The type of each source that has one."""
        return MappingProxyType(self._rows.types())

    @property
    def target_neuron_to_type(self) -> Mapping[str, Any]:
        """The type of each target that has one."""
        return MappingProxyType(self._columns.types())

    @classmethod
    def from_connectivity(  # noqa: PLR0917 - as documented
        cls,
        connections_df: pd.DataFrame,
        neuron_annotations: pd.DataFrame,
        source_types: Any = None,
        target_types: Any = None,
        source_neurons: Any = None,
        target_neurons: Any = None,
        cell_type_column: str = "cell_type",
        neuron_id_column: str = "root_id",
        type_order: Sequence[Any] | None = None,
        source_type_order: Sequence[Any] | None = None,
        target_type_order: Sequence[Any] | None = None,
        annotation_scope: str = "annotated_only",
    ) -> Self:
        """Make a matrix of connectivity that is aggregated already; see `NestedMatrix.from_connectivity`.

        Parameters
        ----------
        connections_df, neuron_annotations, cell_type_column, neuron_id_column, annotation_scope
            See `NestedMatrix.from_connectivity`.
        source_types, source_neurons, target_types, target_neurons
            One or many. Neurons of an axis that are of one of these types or are named; both left out, all that occur
            on that axis, whatever is selected on the other. Named neurons that do not occur there are left out, which
            is logged, as is that nobody is left on an axis; an empty list selects nobody.
        type_order : sequence, optional
            Of types, for both axes.
        source_type_order, target_type_order : sequence, optional
            For one axis, in place of `type_order`. Entries that no annotated type fits are logged.

        Raises
        ------
        InvalidInput
            See `NestedMatrix.from_connectivity`.
        NoMatchesError
            No neuron is annotated with a selected type.
        """
        request = Request(
            annotations=neuron_annotations,
            cell_type_column=cell_type_column,
            neuron_id_column=neuron_id_column,
            source_order=type_order if source_type_order is None else source_type_order,
            target_order=type_order if target_type_order is None else target_type_order,
            annotation_scope=annotation_scope,
            source_types=source_types,
            target_types=target_types,
            source_neurons=source_neurons,
            target_neurons=target_neurons,
            square=False,
        )
        return cls._made(*building.of_connectivity(connections_df, request))

    @classmethod
    def from_synapses(  # noqa: PLR0917 - as documented
        cls,
        synapses_df: pd.DataFrame,
        neuron_annotations: pd.DataFrame,
        source_types: Any = None,
        target_types: Any = None,
        source_neurons: Any = None,
        target_neurons: Any = None,
        pre_col: str = "pre_pt_root_id",
        post_col: str = "post_pt_root_id",
        weight_mode: str = "relative_outgoing",
        weight_column: str | None = None,
        normalization_scope: str = "selected",
        cell_type_column: str = "cell_type",
        neuron_id_column: str = "root_id",
        type_order: Sequence[Any] | None = None,
        source_type_order: Sequence[Any] | None = None,
        target_type_order: Sequence[Any] | None = None,
        annotation_scope: str = "annotated_only",
    ) -> Self:
        """Make a matrix of synapses, one a row; see `NestedMatrix.from_synapses`.

        Parameters
        ----------
        synapses_df, neuron_annotations, pre_col, post_col, weight_mode, weight_column, annotation_scope
            See `NestedMatrix.from_synapses`.
        source_types, source_neurons, target_types, target_neurons, type_order, source_type_order, target_type_order
            See `from_connectivity`.
        normalization_scope : {"selected", "all"}
            Shares of what is selected, or shares of all synapses that the annotation scope keeps. For shares of
            really all partners, use `annotation_scope="all"`, too.

        Raises
        ------
        InvalidInput
            See `NestedMatrix.from_synapses`.
        NoMatchesError
            No neuron is annotated with a selected type.
        """
        request = Request(
            annotations=neuron_annotations,
            cell_type_column=cell_type_column,
            neuron_id_column=neuron_id_column,
            source_order=type_order if source_type_order is None else source_type_order,
            target_order=type_order if target_type_order is None else target_type_order,
            annotation_scope=annotation_scope,
            weight_mode=weight_mode,
            weight_column=weight_column,
            source_types=source_types,
            target_types=target_types,
            source_neurons=source_neurons,
            target_neurons=target_neurons,
            normalization_scope=normalization_scope,
            square=False,
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
        source_types: Any = None,
        target_types: Any = None,
        source_neurons: Any = None,
        target_neurons: Any = None,
        pre_col: str = "pre_pt_root_id",
        post_col: str = "post_pt_root_id",
        weight_mode: str = "relative_outgoing",
        weight_column: str | None = None,
        normalization_scope: str = "selected",
        cell_type_column: str = "cell_type",
        neuron_id_column: str = "root_id",
        type_order: Sequence[Any] | None = None,
        source_type_order: Sequence[Any] | None = None,
        target_type_order: Sequence[Any] | None = None,
        annotation_scope: str = "annotated_only",
        include_other: bool = True,
        voxel_offset: Sequence[float] | None = None,
        *,
        membership: Membership | None = None,
        dataset: str | Dataset | None = None,
    ) -> NeuropilCollection:
        """Make a matrix of the synapses in each neuropil; see `NestedMatrix.from_synapses_by_neuropil`.

        Parameters
        ----------
        synapses_df, neuron_annotations, neuropil_names, coordinates, position_column, include_other, voxel_offset
            See `NestedMatrix.from_synapses_by_neuropil`.
        pre_col, post_col, weight_mode, weight_column, normalization_scope, annotation_scope
            See `from_synapses`; shares are shares within the neuropil.
        source_types, source_neurons, target_types, target_neurons, type_order, source_type_order, target_type_order
            See `from_connectivity`.
        membership, dataset
            See `NestedMatrix.from_synapses_by_neuropil`.

        Returns
        -------
        NeuropilCollection
            By neuropil; those without synapses between selected neurons are left out.

        Raises
        ------
        InvalidInput
            See `NestedMatrix.from_synapses_by_neuropil`.
        NoMatchesError
            No neuropil has this name, or no neuron is annotated with a selected type.
        """
        request = Request(
            annotations=neuron_annotations,
            cell_type_column=cell_type_column,
            neuron_id_column=neuron_id_column,
            source_order=type_order if source_type_order is None else source_type_order,
            target_order=type_order if target_type_order is None else target_type_order,
            annotation_scope=annotation_scope,
            weight_mode=weight_mode,
            weight_column=weight_column,
            source_types=source_types,
            target_types=target_types,
            source_neurons=source_neurons,
            target_neurons=target_neurons,
            normalization_scope=normalization_scope,
            square=False,
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
        source_types: Any = None,
        target_types: Any = None,
        source_neurons: Any = None,
        target_neurons: Any = None,
        weight_mode: str = "relative_outgoing",
        normalization_scope: str = "selected",
        cell_type_column: str = "cell_type",
        neuron_id_column: str = "root_id",
        type_order: Sequence[Any] | None = None,
        source_type_order: Sequence[Any] | None = None,
        target_type_order: Sequence[Any] | None = None,
        annotation_scope: str = "annotated_only",
    ) -> NeuropilCollection:
        """Make a matrix of each neuropil of counts; see `NestedMatrix.from_counts` and `from_synapses`.

        Raises
        ------
        InvalidInput
        NoMatchesError
            No neuron is annotated with a selected type.
        """
        request = Request(
            annotations=neuron_annotations,
            cell_type_column=cell_type_column,
            neuron_id_column=neuron_id_column,
            source_order=type_order if source_type_order is None else source_type_order,
            target_order=type_order if target_type_order is None else target_type_order,
            annotation_scope=annotation_scope,
            weight_mode=weight_mode,
            source_types=source_types,
            target_types=target_types,
            source_neurons=source_neurons,
            target_neurons=target_neurons,
            normalization_scope=normalization_scope,
            square=False,
        )
        return building.of_counts(cls._made, counts, request)

    @classmethod
    def from_parquet(cls, path: str | PathLike[str]) -> Self:
        """Read what `to_parquet` wrote; see `NestedMatrix.from_parquet`."""
        from crant_core.matrices import parquet

        return cls._made(*parquet.read_matrix(path, square=False))
