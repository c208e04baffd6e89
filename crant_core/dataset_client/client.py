"""One dataset's client, as cortical-tools has it, on any CAVE server."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Any

from crant_core.dataset_client.description import Description
from crant_core.dataset_client.exports import Exports
from crant_core.dataset_client.lookups import Lookups
from crant_core.dataset_client.meshes import Meshes
from crant_core.dataset_client.roots import Roots
from crant_core.dataset_client.services import Services
from crant_core.dataset_client.session import check_client, describe
from crant_core.dataset_client.skeletons import Skeletons
from crant_core.dataset_client.viewer import Viewer
from crant_core.datasets import Dataset
from crant_core.errors import InvalidInput, UnknownDataset
from crant_core.registry import dataset_of, find_dataset

_DEFAULT_SERVER = "https://global.daf-apis.com"  # caveclient's


class DatasetClient(Roots, Skeletons, Lookups, Meshes, Exports, Viewer, Services, Description):
    """A client for one datastack: its roots, cells, L2 chunks, synapses, meshes, skeletons, exports, versions.

    Of a datastack that this library knows (built in, in the setting `CRANT_DATASETS`, or registered), all that is left
    out is as that says. Making one asks the server nothing; the first question connects. Threads may share it.

    Two clients stand behind it: `cave`, the caveclient that is yours, with the version and time that are looked at; and
    one of the library's, with the same token, that asks in bulk and lets nothing incomplete pass.

    Parameters
    ----------
    datastack_name : str
        Such as `"minnie65_public"`; without a server also the name of a dataset, such as `"latest"`.
    server_address : str, optional
        Of the global (info) server; left out, that of the known datastack, else https://global.daf-apis.com.
    caveclient : CAVEclient, optional
        Yours: name, server, token, version and time are taken from it.
    materialization_version : int, optional
        To begin with; left out, that of `caveclient`, or the latest.
    cell_id_lookup_view : str, optional
        View with `id`, `pt_supervoxel_id` and `pt_root_id` of each cell, for `cell_id_to_root_id`.
    root_id_lookup_main_table : str, optional
        Table with the same, for `root_id_to_cell_id`.
    root_id_lookup_alt_tables : sequence of str, optional
        Tables with further points of cells, which `target_id` names.
    dataset_transform : standard_transform.Dataset, optional
        Left out, that of the datastack, if it has one.
    static_table_cloudpath : str, optional
        See `set_export_cloudpath`.

    Raises
    ------
    InvalidInput
        There is neither a name nor a caveclient.
    WrongType
        `caveclient` is none.
    """

    def __init__(
        self,
        datastack_name: str | None = None,
        server_address: str | None = None,
        caveclient: Any = None,
        *,
        materialization_version: int | None = None,
        cell_id_lookup_view: str | None = None,
        root_id_lookup_main_table: str | None = None,
        root_id_lookup_alt_tables: Sequence[str] | None = None,
        dataset_transform: Any = None,
        static_table_cloudpath: str | None = None,
    ) -> None:
        check_client(caveclient)
        if caveclient is not None:
            datastack_name, server_address = caveclient.datastack_name, caveclient.server_address
        if not datastack_name or not isinstance(datastack_name, str):
            raise InvalidInput("there is no datastack", hint="give its name and its server, or a caveclient")
        dataset = _known(datastack_name, server_address) or describe(datastack_name, server_address or _DEFAULT_SERVER)
        self._begin(dataset, caveclient, materialization_version)
        self._lookup_view = cell_id_lookup_view or self._lookup_view
        self._main_table = root_id_lookup_main_table or self._main_table
        if root_id_lookup_alt_tables is not None:
            self._alternative_tables = tuple(root_id_lookup_alt_tables)
        self._transform, self._export_path = dataset_transform, static_table_cloudpath or self._export_path

    def _begin(self, dataset: Dataset, caveclient: Any = None, version: int | None = None) -> None:
        """Be a client for a dataset as it is described."""
        super().__init__(dataset, caveclient, version)
        self._lookup_view, self._main_table = dataset.cell_lookup_view, dataset.cell_main_table
        self._alternative_tables = tuple(dataset.cell_alternative_tables)
        self._transform, self._export_path = None, dataset.export_source

    @classmethod
    def of(cls, dataset: str | Dataset | None = None, *, materialization_version: int | None = None) -> DatasetClient:
        """Return a client for a dataset that this library knows.

        Parameters
        ----------
        dataset : str, Dataset or None
            Name or alias; left out, the default dataset.
        materialization_version : int, optional

        Raises
        ------
        UnknownDataset
        """
        made = DatasetClient.__new__(DatasetClient)
        made._begin(dataset_of(dataset), version=materialization_version)
        return made

    def __repr__(self) -> str:
        return f"{type(self).__name__}(datastack_name={self.datastack_name!r}, server_address={self.server_address!r})"

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        """Show itself in a notebook, without asking anybody anything."""
        html = f"<b>{escape(type(self).__name__)}</b> {escape(self.datastack_name)} on {escape(self.server_address)}"
        return {"text/plain": repr(self), "text/html": html}


def _known(name: str, server: str | None) -> Dataset | None:
    """Return what this library knows of a datastack; without a server also of a dataset by its own name."""
    found = find_dataset(server, name)
    if found is not None or server is not None:
        return found
    try:
        return dataset_of(name)
    except UnknownDataset:
        return None
