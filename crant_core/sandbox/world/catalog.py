"""The world's CAVE tables and views: what each is called, holds and refers to."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from crant_core.sandbox import layout, names
from crant_core.sandbox.tables.table import Table
from crant_core.sandbox.tables.view import View
from crant_core.sandbox.world.history import INGESTED
from crant_core.sandbox.world.world import World

_VOXELS = tuple(float(step) for step in layout.USER_RESOLUTION)


@dataclass(frozen=True)
class _Entry:
    name: str
    schema: str
    description: str
    points: tuple[str, ...] = ("pt",)
    voxels: tuple[float, ...] = _VOXELS
    reference: str | None = None
    notice: str | None = None


_ENTRIES = (
    _Entry(
        names.SYNAPSES,
        "synapse",
        "Synaptic sites of five hemibrain neurons with made-up partners, positions in nm",
        ("pre_pt", "post_pt"),
        (1.0, 1.0, 1.0),
    ),
    _Entry(names.NUCLEI, "nucleus_detection", "Somata: real where the neuron has one in the data, else made up"),
    _Entry(
        "nucleus_alternative_points",
        "reference_point",
        "Better points for some nuclei",
        reference=names.NUCLEI,
    ),
    _Entry(
        "cell_info",
        "cell_type_reference",
        "Cell classes, made up for the sandbox",
        points=(),
        reference=names.NUCLEI,
        notice="made up for the sandbox",
    ),
    _Entry("backbone_proofread", "proofreading_boolstatus_user", "Neurons whose backbone was proofread"),
)
VIEWS = tuple(
    View(name, names.NUCLEI, ("id", "pt_supervoxel_id", "pt_root_id", "pt_position"), "Which root a nucleus is in")
    for name in ("nucleus_detection_lookup_v1", "nucleus_alternative_lookup")
)


def read_tables(world: World) -> dict[str, Table]:
    """Read all tables, as they are before anything is changed."""
    return {entry.name: _read(world, entry) for entry in _ENTRIES}


def _read(world: World, entry: _Entry) -> Table:
    x, y, z = entry.voxels
    return Table(
        name=entry.name,
        schema=entry.schema,
        rows=world.frame(f"tables/{entry.name}"),
        points=entry.points,
        created=INGESTED - timedelta(hours=1),
        voxel_resolution=(x, y, z),
        reference_table=entry.reference,
        description=entry.description,
        notice_text=entry.notice,
    )
