"""The exported tables of a dataset, for its client."""

from __future__ import annotations

from typing import TYPE_CHECKING

from crant_core.dataset_client.session import Session
from crant_core.errors import InvalidInput

if TYPE_CHECKING:
    from crant_core.exports import TableExportClient


class Exports(Session):
    """Tables of frozen versions as files, those too that the server no longer answers."""

    _export_path: str | None = None

    @property
    def exports(self) -> TableExportClient:
        """The exports below the path that was set, or else the dataset's own; positions are in nm.

        What a table's positions count is asked of its metadata, when it is first read; see
        `crant_core.exports.voxels.voxels_of`.

        Raises
        ------
        InvalidInput
            No path was set, and the dataset has none.
        """
        if self._export_path is None:
            hint = 'client.set_export_cloudpath("gs://bucket/datastack")'
            raise InvalidInput(f"where {self.datastack_name} exports its tables is not known", hint=hint)
        from crant_core.exports import TableExportClient  # pyarrow
        from crant_core.exports.voxels import voxels_of
        from crant_core.settings import library_settings

        settings = library_settings()
        return TableExportClient(
            self._export_path,
            voxel_resolution=lambda name: voxels_of(self._source, name),
            cache_folder=settings.cache_folder,
            cache_megabytes=settings.cache_megabytes,
        )

    def set_export_cloudpath(self, cloudpath: str) -> None:
        """Say where tables are exported to, up to the folders of the versions; nothing is asked.

        Parameters
        ----------
        cloudpath : str
            Such as `gs://mat_dbs/public/minnie65_phase3_v1`; s3, https, file and plain paths do as well.
        """
        self._export_path = cloudpath
