"""Skeletons of neurons by root id."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from crant_core.access import source_of_client
from crant_core.errors import CrantError
from crant_core.meshes.bulk import as_asked, at_once, caught, check_omission, check_threads, in_order, is_one, roots_of
from crant_core.morphology.choices import Choices, chosen
from crant_core.morphology.files import Files, files_for
from crant_core.morphology.made import Made
from crant_core.morphology.making import Slot, make
from crant_core.morphology.treeneurons import empty_neuron, tree_neuron
from crant_core.sources.cave import CaveSource
from crant_core.times import TimeBase

_NAMED = ("shave_skeleton", "remove_soma_hairball", "assert_id_match", "use_pcg_skel", "method")
_UNUSED = ("threads",)  # functions for many neurons have an argument of their own for it


@dataclass(frozen=True)
class Order:
    """What one call is to do with each neuron.

    Attributes
    ----------
    source : CaveSource
    choices : Choices
    files : Files or None
        Where skeletons are saved, as soon as each is made.
    time : TimeBase
        Of the call.
    latest : mapping of int to bool
        Which roots hold then.
    """

    source: CaveSource
    choices: Choices
    files: Files | None
    time: TimeBase
    latest: Mapping[int, bool]

    def make(self, root: int, slot: Slot | None = None) -> Made:
        """Make and save a skeleton."""
        made = self.dated(make(self.source, root, self.choices, slot))
        if self.files is not None:
            with slot or nullcontext():
                self.files.save(made, self.source.dataset, self.time)
        return made

    def dated(self, made: Made) -> Made:
        """Say of a skeleton whether its root holds at the time of the call."""
        return replace(made, is_latest=self.latest[made.root])

    def neuron(self, root: int, made: Made) -> Any:
        """Return a skeleton as navis has it."""
        return tree_neuron(made, self.source.dataset, self.time)


def skeletonize_neuron(  # noqa: PLR0917 - the documented order
    client: Any,
    root_id: Any,
    shave_skeleton: bool = True,
    remove_soma_hairball: bool = False,
    assert_id_match: bool = False,
    threads: int = 2,
    save_to: str | os.PathLike[str] | None = None,
    progress: bool = True,
    use_pcg_skel: bool = False,
    *,
    method: str | None = None,
    save_format: str | None = None,
    omit_failures: bool | None = None,
    **kwargs: Any,
) -> Any:
    """Make the skeleton of a neuron, or of several.

    Source: the neuron's whole mesh, see `get_mesh_neuron`; for the method `l2` what `get_l2_skeleton` asks, for
    `service` what caveclient's `get_skeleton` asks; for all, `POST …/is_latest_roots` once. For `assert_id_match` the
    segmentation's bucket, `POST …/root_timestamps` and `POST …/roots_binary`.

    Parameters
    ----------
    client : CAVEclient, DatasetClient, str, Dataset or None
        Where to ask: a client, or the name of a dataset, or None for the default dataset.
    root_id : ids or neurons
        Root ids as integers or strings, one or many; navis neurons; anything with `get_roots()`. Old roots work too.
    shave_skeleton : bool, default True
        Prune twigs that are shorter than their neurite is thick. Never a root, the soma, or the longest path; and only
        of the method `wavefront`: nodes through L2 chunks are so far apart that each would be a twig.
    remove_soma_hairball : bool, default False
        Remove the twigs that begin and end within the soma, if there is one.
    assert_id_match : bool, default False
        Look up the voxels at all nodes, as they were when the root came to be, and refuse a skeleton of which more than
        a share of `elsewhere` is not in the neuron.
    threads : int, default 2
        Neurons at a time.
    save_to : str or path, optional
        Save each skeleton as soon as it is made. `~` is your home. A folder, in which files are named by root id;
        a pattern such as `skeletons/{root_id}.swc`; or, of one neuron, a file. Files with the same name are replaced,
        but several neurons never go into one file, nor skeletons made in different ways into one precomputed folder.
    progress : bool, default True
        Whether to show a bar if it takes longer than two seconds.
    use_pcg_skel : bool, default False
        Make it from the L2 chunks, as pcg-skel does, and only if that fails from the mesh, which is logged and in
        `provenance["note"]`.
    method : str, optional
        `wavefront`: this library's engine, the default. `skeletor`: skeletor's wavefronts as they are, to compare with:
        not shaved, without a soma. `l2`: through L2 chunks, without a way out. `service`: CAVE's skeleton service,
        which makes what it does not have within minutes.
    save_format : {"swc", "parquet", "precomputed"}, optional
        Left out, what `save_to` ends in, else SWC. `precomputed` is a folder for Neuroglancer.
    omit_failures : bool, optional
        What to do about neurons of which none can be made: None raises, True leaves them out, False puts empty neurons
        in their places; the last two log a warning. Trouble with the server always raises.
    **kwargs
        `elsewhere`: see `assert_id_match`; 0.3 if left out: of decimated surfaces, a quarter of the nodes are outside.
        Of `wavefront`: the fields of `crant_core.skeleton.Options`; `step_size` is `edges_per_step`. Of `skeletor`:
        `waves`, `step_size`, `heal`.

    Returns
    -------
    navis.TreeNeuron or navis.NeuronList
        A neuron for one id; a list for many and for a list of one, in input order, repetitions kept as copies.
        Positions and radii in nm; `id` is the root id; `soma` a node's number or None; rooted at the soma if there is
        one. `skeleton_method` says what made it, `quality` has its numbers and what it cost, `provenance` dataset,
        time, whether the root holds then (`is_latest`), frame, options and version.

    Raises
    ------
    InvalidId
        Something is no root id.
    InvalidParameters
        There is no such method, option or format, or files would overwrite each other; before anything is asked.
    WrongType
        `client` is none.
    NotARoot
    MeshNotFound
    InvalidInput
        `save_to` cannot be written; before anything is asked.
    DataMissing
        The mesh is not whole yet.
    SkeletonError
        The mesh has no surface to follow, there is one L2 chunk only, the service refuses.
    IdMismatch
        Too many nodes are elsewhere; the message says how many, and where.
    SourceError
    """
    check_omission(omit_failures)
    check_threads(threads)
    choices = chosen(
        method,
        kwargs,
        shave_skeleton=shave_skeleton,
        remove_soma_hairball=remove_soma_hairball,
        assert_id_match=assert_id_match,
        use_pcg_skel=use_pcg_skel,
    )
    order, roots = order_of(client, root_id, choices, save_to, save_format)
    distinct = list(dict.fromkeys(roots))
    work: Callable[[int], Made | CrantError] = caught(order.make, omit_failures)
    came = at_once(work, distinct, threads, progress=progress, what="skeletons")
    found = listed(order, roots, dict(zip(distinct, came, strict=True)), omit_failures)
    return as_asked(found, is_one(root_id))


def order_of(
    client: Any,
    root_ids: Any,
    choices: Choices,
    save_to: str | os.PathLike[str] | None = None,
    save_format: str | None = None,
    *,
    first: str = "",
) -> tuple[Order, list[int]]:
    """Read what is to be done, and for which roots; all that is asked is which of them hold now.

    `first` names the method whose skeletons are taken where there are any.
    """
    source = source_of_client(client)
    roots = roots_of(source, root_ids)
    files = None if save_to is None else files_for(save_to, roots, save_format, choices.asked(first))
    if files is not None:
        files.check(roots, source.dataset)
    time = TimeBase("live", datetime.now(UTC))
    latest = dict(zip(roots, map(bool, source.graph.is_latest(roots, time.timestamp)), strict=True))
    return Order(source, choices, files, time, latest), roots


def ordered(client: Any, root_ids: Any, kwargs: Mapping[str, Any], *, first: str = "") -> tuple[Order, list[int]]:
    """Do what `order_of` does, with all arguments of `skeletonize_neuron` as keywords."""
    given = {name: value for name, value in kwargs.items() if name not in _UNUSED}
    where = {name: given.pop(name, None) for name in ("save_to", "save_format")}
    named = {name: given.pop(name) for name in _NAMED if name in given}
    return order_of(client, root_ids, chosen(named.pop("method", None), given, **named), **where, first=first)


def listed(
    order: Order, roots: Sequence[int], outcomes: dict[int, Made | CrantError], omit_failures: bool | None
) -> list[Any]:
    """Return neurons in the order of the roots, and treat failures as wanted."""

    def empty(root: int) -> Any:
        return empty_neuron(root, str(outcomes[root]))

    return in_order(roots, outcomes, order.neuron, empty, omit_failures)
