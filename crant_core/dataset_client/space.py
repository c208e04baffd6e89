"""The oriented frame of a dataset, from standard-transform."""

from __future__ import annotations

from typing import Any

from crant_core.dataset_client.session import Session
from crant_core.errors import InvalidInput

_BY_DATASTACK = {
    "minnie65_public": "minnie_ds",
    "minnie65_phase3_v1": "minnie_ds",
    "v1dd": "v1dd_ds",
    "v1dd_public": "v1dd_ds",
}


class Space(Session):
    """From nm to µm below the pia."""

    _transform: Any = None

    @property
    def space(self) -> Any:
        """The `standard_transform.Dataset` of this dataset: nm or voxels to oriented µm, pia at y = 0, depth along y.

        Raises
        ------
        InvalidInput
            There is none.
        """
        if self._transform is None:
            name = _BY_DATASTACK.get(self.datastack_name)
            if name is None:
                hint = "construct the client with dataset_transform=, such as standard_transform.minnie_ds"
                raise InvalidInput(f"{self.datastack_name} has no oriented frame", hint=hint)
            import standard_transform

            self._transform = getattr(standard_transform, name)
        return self._transform

    @property
    def dataset_transform(self) -> Any:
        """The same as `space`."""
        return self.space
