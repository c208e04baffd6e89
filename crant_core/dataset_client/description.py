"""What CAVE's info service says of a datastack, for a dataset's client."""

from __future__ import annotations

from typing import Any

from crant_core.dataset_client.session import Session


class Description(Session):
    """Questions to the info service, passed on as caveclient answers them, and remembered by it.

    Endpoint of all: `GET /info/api/v2/datastack/full/{datastack}`, once.
    """

    def get_datastack_info(self, datastack_name: str | None = None, use_stored: bool = True) -> dict[str, Any]:
        """Return everything that is told of the datastack.

        Raises
        ------
        SourceError
        """
        return dict(self._info("get_datastack_info", datastack_name, use_stored))

    def image_source(self, datastack_name: str | None = None, use_stored: bool = True, **options: Any) -> str:
        """Return the address of the aligned images, such as `precomputed://…`.

        Options are caveclient's: `format_for` and `image_mirror`.

        Raises
        ------
        SourceError
        """
        return str(self._info("image_source", datastack_name, use_stored, **options))

    def segmentation_source(self, datastack_name: str | None = None, use_stored: bool = True, **options: Any) -> str:
        """Return the address of the segmentation, `graphene://…`; caveclient's option is `format_for`.

        Raises
        ------
        SourceError
        """
        return str(self._info("segmentation_source", datastack_name, use_stored, **options))

    def viewer_resolution(self, datastack_name: str | None = None, use_stored: bool = True) -> Any:
        """Return nm per voxel in the coordinates that people see, (3,) float64.

        Raises
        ------
        SourceError
        """
        return self._info("viewer_resolution", datastack_name, use_stored)

    def _info(self, method: str, datastack_name: str | None, use_stored: bool, **options: Any) -> Any:
        cave = self.cave
        with self._asking():
            return getattr(cave.info, method)(datastack_name=datastack_name, use_stored=use_stored, **options)
