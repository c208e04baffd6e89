"""The running sandbox: the built world, and everything about it that requests may change."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from functools import cached_property
from typing import cast

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from starlette.requests import Request

from crant_core.sandbox import names
from crant_core.sandbox.anatomy import Anatomy
from crant_core.sandbox.faults.controller import Controller
from crant_core.sandbox.faults.profiles import Profile
from crant_core.sandbox.graph.chunkedgraph import ChunkedGraph
from crant_core.sandbox.seatable import SeaTable
from crant_core.sandbox.skeletons import SkeletonCache
from crant_core.sandbox.state import ROW_LIMIT, State
from crant_core.sandbox.tables.version import Version
from crant_core.sandbox.world import crowd as crowds
from crant_core.sandbox.world.catalog import VIEWS, read_tables
from crant_core.sandbox.world.crowd import Crowd
from crant_core.sandbox.world.crowd_tables import meta_rows, synapse_rows
from crant_core.sandbox.world.history import VERSIONS, replay
from crant_core.sandbox.world.world import World


@dataclass(kw_only=True)
class Sandbox(State):
    """A state with a body.

    Attributes
    ----------
    mesh_delay, l2_delay : float
        Seconds after an edit at which meshes and L2 features of new nodes appear.
    keep_alive : bool
        Whether the bucket keeps connections open, which real buckets do and which breaks forking clients.
    """

    world: World
    anatomy: Anatomy
    crowd: Crowd | None = None
    skeletons: SkeletonCache = field(default_factory=SkeletonCache)
    faults: Controller = field(default_factory=Controller)
    mesh_delay: float = 0.0
    l2_delay: float = 0.0
    keep_alive: bool = False

    @cached_property
    def pristine(self) -> ChunkedGraph:
        """The graph as it was when the sandbox started."""
        return self.graph.copy()

    @cached_property
    def synapse_centres(self) -> NDArray[np.float64]:
        """Where the world's synapses are, (n, 3), nm."""
        rows = self.world.frame(f"tables/{names.SYNAPSES}")
        return rows[[f"ctr_pt_position_{axis}" for axis in "xyz"]].to_numpy(dtype=np.float64)

    def __post_init__(self) -> None:
        self.faults.on_profile = self._adopt

    def _adopt(self, profile: Profile) -> None:
        """Carry out what a profile asks of more than requests."""
        self.row_limit = profile.row_limit or ROW_LIMIT
        self.mesh_delay = self.l2_delay = profile.fresh_after
        self.skeletons.delay = profile.skeleton_takes

    def l2_positions(self, l2_ids: NDArray[np.uint64]) -> NDArray[np.int64]:
        """Return representative points of L2 chunks, (n, 3), nm."""
        return self.anatomy.positions(l2_ids)

    def supervoxel_at(self, node: int, position: Sequence[float]) -> int | None:
        """Return the supervoxel of a node that is nearest to a position in nm."""
        return self.anatomy.supervoxel_near(node, np.asarray(position, dtype=np.float64))

    def fragment(self, node: int) -> tuple[int, int, int] | None:
        """Return where in its shard a node's initial mesh fragment is: offset, size and minishard."""
        places = self.world.fragments
        row = int(np.searchsorted(places[:, 0], node))
        found = row < len(places) and places[row, 0] == node
        return (int(places[row, 1]), int(places[row, 2]), int(places[row, 3])) if found else None

    def is_edited(self, node: int) -> bool:
        """Say whether an edit made a node, rather than the ingest."""
        return node in self.graph.tree.created

    def reset(self) -> None:
        """Undo everything that requests changed; rules and the log go too, the profile of the start comes back."""
        fresh = _start(self.token, self.world, self.pristine.copy(), self.crowd)
        for one in fields(self):
            if one.name != "faults":
                setattr(self, one.name, getattr(fresh, one.name))
        self.faults.restart()


def open_sandbox(token: str, world: World, neurons: int = 0) -> Sandbox:
    """Bring a world to life.

    Parameters
    ----------
    token : str
        The one token that is let in.
    world : World
    neurons : int
        Copies to add for load.
    """
    found, history, middles = world.segmentation, world.history, world.features.middle
    graph = replay(found.ids, history, middles)
    crowd = crowds.gather(world, graph, neurons) if neurons else None
    if crowd is not None:
        graph = crowds.with_crowd(found.ids, history, middles, crowd)
    sandbox = _start(token, world, graph, crowd)
    sandbox.pristine  # noqa: B018 - remembered before anything changes it
    return sandbox


def _start(token: str, world: World, graph: ChunkedGraph, crowd: Crowd | None) -> Sandbox:
    tables = read_tables(world)
    meta = world.frame("seatable")
    if crowd is not None:
        rows = tables[names.SYNAPSES].rows
        tables[names.SYNAPSES].rows = pd.concat([rows, synapse_rows(crowd, len(rows) + 1)], ignore_index=True)
        meta = pd.concat([meta, meta_rows(crowd, graph)], ignore_index=True)
    started = Sandbox(
        token=token,
        graph=graph,
        world=world,
        crowd=crowd,
        anatomy=Anatomy(world, graph, crowd),
        versions=[_with_tables(version, list(tables)) for version in VERSIONS],
        tables=tables,
        views={view.name: view for view in VIEWS},
        seatable=SeaTable(meta),
    )
    roots = graph.roots(world.segmentation.ids, VERSIONS[-1].timestamp)
    started.skeletons.fill(np.unique(roots).tolist(), VERSIONS[-1].timestamp)
    return started


def _with_tables(version: Version, tables: list[str]) -> Version:
    return Version(version.number, version.timestamp, version.expires, tuple(tables))


def sandbox(request: Request) -> Sandbox:
    """Return the running sandbox behind a request."""
    return cast("Sandbox", request.app.state.sandbox)
