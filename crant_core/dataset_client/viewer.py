"""Neuroglancer's view of a dataset, through nglui."""

from __future__ import annotations

from typing import Any

from crant_core.dataset_client.session import Session
from crant_core.errors import NotInstalled
from crant_core.parsing import root_ids_of

SEGMENTATION = "segmentation"  #: what the layer of the neurons is called


class Viewer(Session):
    """Scenes with the layers that the info service names."""

    def neuroglancer_viewer(self, root_ids: Any = None, seg_prop: dict[str, Any] | None = None) -> Any:
        """Make a scene of this dataset.

        Parameters
        ----------
        root_ids : ids, optional
            Neurons that are shown.
        seg_prop : dict, optional
            Properties of segments; they are uploaded to the state server, and the layer refers to them.

        Returns
        -------
        nglui.statebuilder.ViewerState
            Its layer of neurons is called `segmentation`.

        Raises
        ------
        InvalidId
        SourceError
        """
        from nglui.statebuilder import ViewerState

        cave = self.cave
        roots = [] if root_ids is None else root_ids_of(root_ids).tolist()
        with self._asking():
            scene = ViewerState(client=cave).add_layers_from_client(
                cave, segmentation=SEGMENTATION, target_url=True, segmentation_kws={"segments": roots}
            )
            if seg_prop is not None:
                number = cave.state.upload_property_json(seg_prop)
                address = cave.state.build_neuroglancer_url(number, format_properties=True, target_site="mainline")
                scene.layers[SEGMENTATION].add_source(address)
        return scene

    def neuroglancer_url(
        self,
        target_url: str | None = None,
        clipboard: bool = False,
        shorten: bool = False,
        root_ids: Any = None,
        *,
        seg_prop: dict[str, Any] | None = None,
    ) -> str:
        """Make a link to a scene of this dataset.

        Parameters
        ----------
        target_url : str, optional
            Site that shows it; left out, that of the info service.
        clipboard : bool, default False
            Copy the link too.
        shorten : bool, default False
            Leave the scene with the state server, and link to it there.
        root_ids, seg_prop
            See `neuroglancer_viewer`.

        Returns
        -------
        str

        Raises
        ------
        InvalidId
        NotInstalled
            There is no clipboard; the link is the error's `value`.
        SourceError
        """
        scene = self.neuroglancer_viewer(root_ids, seg_prop)
        with self._asking():
            url = str(scene.to_url(target_url=target_url, shorten=shorten, client=self.cave))
        if clipboard:
            _copy(url)
        return url


def _copy(url: str) -> None:
    import pyperclip

    try:
        pyperclip.copy(url)
    except pyperclip.PyperclipException as error:
        hint = "leave out clipboard=True, or take the link from the error's value"
        raise NotInstalled("there is no clipboard to copy the link to", value=url, hint=hint) from error
