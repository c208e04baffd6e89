"""Skeletons that CAVE's own service has made: coarse, a node for each L2 chunk, with radii and compartments."""

from __future__ import annotations

import binascii
import logging
from collections.abc import Mapping, Sequence
from contextlib import contextmanager
from http import HTTPStatus
from time import perf_counter
from typing import TYPE_CHECKING, Any

import numpy as np

from crant_core.errors import SkeletonError, SourceError
from crant_core.l2.tree import spanning_tree
from crant_core.meshes.bulk import at_once
from crant_core.morphology.choices import SERVICE
from crant_core.morphology.made import Made
from crant_core.skeleton.tree import Skeleton
from crant_core.sources.cave import CaveSource
from crant_core.sources.chunkedgraph_requests import asking

if TYPE_CHECKING:
    from collections.abc import Iterator

VERSION = 4  #: of the service's skeletons: the one with radii, compartments and L2 ids
BLOCK = 50  #: skeletons per request, some 5 MB; the service's limit is 500
_SOMA = 1  # compartment
_PER_NODE = {"compartment": np.int64, "lvl2_ids": np.int64}
_log = logging.getLogger(__name__)


def cached(
    source: CaveSource, roots: Sequence[int], threads: int, *, progress: bool = False
) -> tuple[dict[int, Made], dict[int, str]]:
    """Fetch the skeletons that the service has ready; nothing is made there, so nothing is waited for.

    Source: `GET /skeletoncache/api/versions` and `POST /skeletoncache/api/v1/{datastack}/bulk/get_cached_skeletons/4/
    flatdict` for 50 neurons at a time; of releases before 0.23.9, `…/precomputed/skeleton/exists` and
    `…/async/get_skeleton/4/{root}/flatdict` for each.

    Returns
    -------
    found : dict of int to Made
    missing : dict of int to str
        Why there is none: it is not ready, or what came cannot be used.

    Raises
    ------
    SourceError
        There is trouble with the service; that a server has none is not trouble.
    """
    began, distinct = perf_counter(), list(dict.fromkeys(roots))
    blocks = [distinct[start : start + BLOCK] for start in range(0, len(distinct), BLOCK)]
    try:
        answers = at_once(
            lambda block: _block(source, block), blocks, threads, progress=progress, what="skeleton service"
        )
    except SourceError as error:
        if error.value != HTTPStatus.NOT_FOUND:
            raise
        return {}, dict.fromkeys(distinct, "the server has no skeleton service")
    raw = {root: one for answer in answers for root, one in answer.items()}
    seconds = (perf_counter() - began) / max(1, len(distinct))
    return _sorted_out(distinct, raw, seconds)


def of_service(source: CaveSource, root: int) -> Made:
    """Fetch one skeleton from the service, which makes it if it is not ready: that takes up to some minutes.

    Source: `GET /skeletoncache/api/v1/{datastack}/async/get_skeleton/4/{root}/flatdict`, and six requests that
    caveclient makes before.

    Raises
    ------
    SkeletonError
        The service refuses the neuron, or what it gave cannot be used.
    SourceError
    """
    began = perf_counter()
    answer = _one(source, root)
    return made_of(root, answer, perf_counter() - began)


def made_of(root: int, answer: Mapping[str, Any], seconds: float = 0.0) -> Made:
    """Read a skeleton as the service gives it.

    Parameters
    ----------
    answer : mapping
        `vertices` in nm, `edges` as pairs in any direction, `radius` in nm; `root`, the node to begin at, and
        `compartment` and `lvl2_ids` if the service has them.

    Raises
    ------
    SkeletonError
        Something is missing, or not a number for each node.
    """
    try:
        places = np.array(answer["vertices"], dtype=np.float64).reshape(-1, 3)
        links = np.array(answer["edges"], dtype=np.int64).reshape(-1, 2)
        radii = np.array(answer["radius"], dtype=np.float64)
        columns = {name: np.array(answer[name], dtype=kind) for name, kind in _PER_NODE.items() if name in answer}
        start = int(answer.get("root") or 0)
    except (KeyError, TypeError, ValueError) as error:
        raise SkeletonError(f"the skeleton service gave no skeleton for {root}: {error}", value=root) from error
    _check(root, places, links, [radii, *columns.values()], start)
    parents, order = spanning_tree(places, links, (np.arange(len(places)) == start).astype(np.float64))
    number = np.full(len(parents) + 1, -1, dtype=np.int64)
    number[order] = np.arange(len(order))
    skeleton = Skeleton(places[order], radii[order], number[parents[order]])
    columns = {name: values[order] for name, values in columns.items()}
    return Made(
        root=root,
        skeleton=skeleton,
        method=SERVICE,
        soma=_soma(columns),
        columns=columns,
        choices={"skeleton_version": VERSION},
        cost={"download_seconds": seconds},
    )


def _check(root: int, places: Any, links: Any, per_node: Sequence[Any], start: int) -> None:
    count = len(places)
    wrong = not count or any(values.shape != (count,) for values in per_node) or not 0 <= start < count
    if wrong or (links.size and (links.min() < 0 or links.max() >= count)):
        message = f"the skeleton service's skeleton of {root} does not hold together: {count} nodes, {len(links)} edges"
        raise SkeletonError(message, value=root)


def _soma(columns: Mapping[str, Any]) -> int | None:
    """Return the first node that the service takes for the soma."""
    is_soma = columns.get("compartment", np.zeros(0)) == _SOMA
    return int(is_soma.argmax()) if is_soma.any() else None


def _sorted_out(
    roots: Sequence[int], raw: Mapping[int, Mapping[str, Any]], seconds: float
) -> tuple[dict[int, Made], dict[int, str]]:
    found: dict[int, Made] = {}
    missing: dict[int, str] = {}
    for root in roots:
        if root not in raw:
            missing[root] = "the skeleton service has none ready"
            continue
        try:
            found[root] = made_of(root, raw[root], seconds)
        except SkeletonError as error:
            _log.warning("%s", error)
            missing[root] = error.message
    return found, missing


def _block(source: CaveSource, roots: Sequence[int]) -> dict[int, Mapping[str, Any]]:
    with _asking(source):
        found: Mapping[Any, Mapping[str, Any]] = _bulk(source, roots)
    return {int(root): one for root, one in found.items()}


def _bulk(source: CaveSource, roots: Sequence[int]) -> Mapping[Any, Mapping[str, Any]]:
    from caveclient.base import ServerIncompatibilityError

    client = source.client().skeleton
    try:
        answer: Mapping[Any, Mapping[str, Any]] = client.fetch_skeletons(list(roots), skeleton_version=VERSION)
        return answer
    except ServerIncompatibilityError:
        return {root: _one(source, root) for root in _ready(client, roots)}


def _ready(client: Any, roots: Sequence[int]) -> list[int]:
    """Return those that are ready, of a server that has no bulk route."""
    answer = client.skeletons_exist(root_ids=list(roots), skeleton_version=VERSION)
    known = {roots[0]: answer} if isinstance(answer, bool) else answer  # caveclient's answer about one id
    return [root for root in roots if known.get(root)]


def _one(source: CaveSource, root: int) -> Mapping[str, Any]:
    try:
        with _asking(source):
            found: Mapping[str, Any] = source.client().skeleton.get_skeleton(root, skeleton_version=VERSION)
            return found
    except SourceError as error:
        if error.value != HTTPStatus.BAD_REQUEST:
            raise
        raise SkeletonError(f"the skeleton service refuses {root}: {error.message}", value=root) from error


@contextmanager
def _asking(source: CaveSource) -> Iterator[None]:
    from caveclient.base import ServerIncompatibilityError
    from caveclient.skeletonservice import NoL2CacheException

    try:
        with asking(source.dataset.server):
            yield
    except ServerIncompatibilityError as error:  # also if there is none, so that its version is None
        message = f"{source.dataset.server} has no skeleton service, or one too old"
        raise SourceError(message, value=HTTPStatus.NOT_FOUND) from error
    except NoL2CacheException as error:
        raise SkeletonError(f"{source.dataset.name} has no L2 cache, so no skeleton service") from error
    except (ValueError, EOFError, OSError, binascii.Error) as error:
        if isinstance(error, SourceError | SkeletonError):
            raise
        raise SkeletonError(f"the skeleton service gave no skeleton: {error}") from error
