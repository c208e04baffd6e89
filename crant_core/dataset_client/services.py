"""What cortical-tools passes on to caveclient as it is: skeletons that exist, volumes, scenes, staged annotations."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from crant_core.dataset_client.session import Session
from crant_core.dataset_client.skeletons import check_version
from crant_core.errors import InvalidInput, SourceError
from crant_core.parsing import root_ids_of
from crant_core.values import is_many

_AT_ONCE = 500  # ids; the service answers for the first thousand of a request only, and says so in a log


class Services(Session):
    """Questions that caveclient asks and answers itself."""

    def skeletons_exist(self, skeleton_version: int = 4, root_ids: Any = 0) -> dict[int, bool] | bool:
        """Say which roots have a skeleton ready at the service.

        Parameters
        ----------
        skeleton_version : int, default 4
        root_ids : ids

        Returns
        -------
        dict of int to bool, or bool
            By root, each once, in input order; a bool where one root, and no list of one, was named.

        Raises
        ------
        InvalidId
        InvalidParameters
            There is no such version.
        SourceError

        Notes
        -----
        Endpoint: `POST /skeletoncache/api/v1/{datastack}/precomputed/skeleton/exists`, once for every 500 roots.
        """
        check_version(skeleton_version)
        roots = list(dict.fromkeys(root_ids_of(root_ids).tolist()))
        found: dict[int, bool] = {}
        for start in range(0, len(roots), _AT_ONCE):
            some = roots[start : start + _AT_ONCE]
            with self._asking():
                answer = self.cave.skeleton.skeletons_exist(skeleton_version=skeleton_version, root_ids=some)
            by_root = answer if isinstance(answer, Mapping) else {some[0]: answer}
            found |= {root: bool(by_root[root]) for root in some}
        return found if is_many(root_ids) else found[roots[0]]

    def image_cloudvolume(self, **options: Any) -> Any:
        """Open the aligned images as a CloudVolume; options are caveclient's and CloudVolume's.

        Raises
        ------
        InvalidInput
            There is no such option.
        SourceError
        """
        return self._volume("image_cloudvolume", options)

    def segmentation_cloudvolume(self, **options: Any) -> Any:
        """Open the segmentation as a CloudVolume; options are caveclient's and CloudVolume's.

        Raises
        ------
        InvalidInput
            There is no such option.
        SourceError
        """
        return self._volume("segmentation_cloudvolume", options)

    def _volume(self, method: str, options: dict[str, Any]) -> Any:
        try:
            return self._passed("info", method, **options)
        except SourceError as error:
            if not isinstance(error.__cause__, TypeError):
                raise
            raise InvalidInput(f"no volume is opened with {options}: {error.__cause__}", value=str(options)) from error

    def get_state_json(self, state_id: int | str) -> dict[str, Any]:
        """Fetch a scene that the state server keeps, by its number or address.

        Raises
        ------
        SourceError
        """
        return dict(self._passed("state", "get_state_json", state_id))

    def upload_state_json(
        self, json_state: Mapping[str, Any], state_id: int | None = None, timestamp: Any = None
    ) -> int:
        """Leave a scene with the state server; return its number.

        Raises
        ------
        InvalidInput
            It is no scene.
        SourceError
        """
        if not isinstance(json_state, Mapping):
            kind, hint = type(json_state).__name__, "give the dict that construct_scene or decode_url returns"
            raise InvalidInput(f"{kind} is no scene", value=kind, hint=hint)
        return int(self._passed("state", "upload_state_json", dict(json_state), state_id, timestamp))

    def stage_annotations(self, *arguments: Any, **options: Any) -> Any:
        """Begin a set of annotations to be uploaded; arguments are caveclient's.

        Raises
        ------
        SourceError
        """
        return self._passed("annotation", "stage_annotations", *arguments, **options)

    def upload_staged_annotations(self, staged_annos: Any, **options: Any) -> Any:
        """Upload a set of annotations; options and result are caveclient's.

        Raises
        ------
        SourceError
        """
        return self._passed("annotation", "upload_staged_annotations", staged_annos, **options)

    def _passed(self, service: str, method: str, *arguments: Any, **options: Any) -> Any:
        cave = self.cave
        with self._asking():
            return getattr(getattr(cave, service), method)(*arguments, **options)
