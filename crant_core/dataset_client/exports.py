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
        """The exports below the path that was set; positions are in nm.

        Voxels are the dataset's `viewer_resolution`; of datasets this library does not know, the info service tells it.

        Raises
        ------
        InvalidInput
            No path was set.
        SourceError
        """
        if self._export_path is None:
            hint = 'client.set_export_cloudpath("gs://bucket/datastack")'
            raise InvalidInput(f"where {self.datastack_name} exports its tables is not known", hint=hint)
        from crant_core.exports import TableExportClient  # pyarrow
        from crant_core.settings import library_settings

        folder = library_settings().cache_folder
        return TableExportClient(self._export_path, voxel_resolution=self._voxels(), cache_folder=folder)

    def set_export_cloudpath(self, cloudpath: str) -> None:
        """Say where tables are exported to, up to the folders of the versions; nothing is asked.

        Parameters
        ----------
        cloudpath : str
            Such as `gs://mat_dbs/public/minnie65_phase3_v1`; s3, https, file and plain paths do as well.
        """
        self._export_path = cloudpath

    def _voxels(self) -> tuple[float, float, float]:
        known = self._described.viewer_resolution
        if known != (1.0, 1.0, 1.0):  # as `describe` says that it is not known
            return known
        with self._asking():
            x, y, z = (float(step) for step in self.cave.info.viewer_resolution())
        return x, y, z
