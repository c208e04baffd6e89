"""The oriented frame of a dataset, from standard-transform."""

from __future__ import annotations

from typing import Any

from crant_core.dataset_client.session import Session
from crant_core.datasets import PRESETS
from crant_core.errors import InvalidInput


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
            name = self._described.oriented_frame or _of_preset(self.datastack_name)
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


def _of_preset(datastack: str) -> str | None:
    return next((preset.oriented_frame for preset in PRESETS if preset.datastack == datastack), None)
