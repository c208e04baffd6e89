"""The datasets this library knows, as frozen data. Importing this module does no I/O."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from crant_core.errors import UnknownDataset


def _pairs(columns: Any) -> Any:
    return tuple(columns.items()) if isinstance(columns, Mapping) else columns


Columns = Annotated[
    tuple[tuple[str, str], ...],  # not a dict, because datasets are keys of caches
    BeforeValidator(_pairs),
    Field(description="What columns are called, by the name of the annotation field; a mapping, or pairs"),
]


class SeaTableStore(BaseModel):
    """People's annotations are in a table of a SeaTable base."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["seatable"] = "seatable"
    server: str = Field(pattern=r"^https?://", description="Address of the SeaTable server")
    workspace: str = Field(description="Number of the workspace")
    base: str = Field(description="Name of the base")
    table: str = Field(description="Name of the table")


class CaveTableStore(BaseModel):
    """People's annotations are in a table of the dataset's own CAVE."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["cave"] = "cave"
    table: str = Field(description="Name of the table; a reference table brings the points it refers to")
    columns: Columns = ()


class FileStore(BaseModel):
    """People's annotations are in a file on this machine."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["file"] = "file"
    path: str = Field(pattern=r"(?i)\.(parquet|csv|tsv)$", description="Parquet, or text with commas or tabs")
    columns: Columns = ()


AnnotationStore: TypeAlias = Annotated[SeaTableStore | CaveTableStore | FileStore, Field(discriminator="kind")]
"""Where people's annotations are; written as JSON, `kind` says which of them it is."""


class NeuroglancerSites(BaseModel):
    """Where scenes are looked at."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    spelunker: str = Field(default="https://spelunker.cave-explorer.org", description="CAVE's own, the usual one")
    base: str = Field(default="https://neuroglancer-demo.appspot.com/", description="Google's")
    states: str | None = Field(
        default=None, pattern=r"^https?://", description="Server of shortened scenes; None: the CAVE server's own"
    )


class ViewerStart(BaseModel):
    """Where a new scene looks; without one, Neuroglancer looks at the middle of the data."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    position: tuple[float, float, float] = Field(description="Middle of the view, voxels of the viewer")
    section_scale: float = Field(description="Voxels per pixel in sections")
    projection_scale: float = Field(description="Voxels across the 3D view")
    projection_depth: float = Field(description="Voxels that the 3D view is deep")


class Dataset(BaseModel):
    """One CAVE datastack: where it is served and in which units its users count.

    The coordinate frame of every result is the dataset's own, in nm, with the origin at voxel (0, 0, 0). What is None
    is not known here: CAVE's own description of the datastack, or a refusal with a reason, takes its place.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(pattern=r"^[a-z0-9_]+$", description="Name used in this library and in jobs")
    datastack: str = Field(description="CAVE datastack")
    server: str = Field(pattern=r"^https?://", description="Address of CAVE's global (info) server")
    viewer_resolution: tuple[float, float, float] = Field(description="nm per voxel in user coordinates")
    aliases: tuple[str, ...] = Field(default=(), description="Other names people type")
    description: str = Field(default="", description="One line for people")
    lasting: bool = Field(
        default=True, description="Whether its history never changes; if it can be set back, nothing is kept on disk"
    )

    segmentation_resolution: tuple[float, float, float] | None = Field(
        default=None, description="nm per voxel of the segmentation at mip 0"
    )
    chunkedgraph_table: str | None = Field(default=None, description="Table of the chunkedgraph")
    segmentation_source: str | None = Field(default=None, description="Segmentation as Neuroglancer reads it")
    base_segmentation_source: str | None = Field(default=None, description="Merge-biased segmentation before edits")
    image_source: str | None = Field(default=None, description="Aligned EM")
    brain_mesh_source: str | None = Field(default=None, description='Surface of the tissue, segment "1"')
    neuropil_source: str | None = Field(default=None, description="Surfaces of neuropils")
    neuropil_segments: tuple[int, ...] = Field(default=(), description="Which of them a new scene shows")
    glomeruli_source: str | None = Field(default=None, description="Surfaces of the antennal lobes' glomeruli")
    nucleus_source: str | None = Field(default=None, description="Segmentation of nuclei")
    synapse_table: str | None = Field(default=None, description="CAVE table of synapses")
    proofreading_table: str | None = Field(default=None, description="CAVE table of proofread neurons")
    cell_table: str | None = Field(default=None, description="CAVE table of cells")
    cell_lookup_view: str | None = Field(default=None, description="CAVE view from cell id to root id")
    cell_main_table: str | None = Field(default=None, description="CAVE table from root id to cell id")
    cell_alternative_tables: tuple[str, ...] = Field(
        default=(), description="CAVE tables with further points of cells, for root id to cell id"
    )
    export_source: str | None = Field(
        default=None, description="Where tables of frozen versions are exported to, up to the versions' folders"
    )
    oriented_frame: Literal["minnie_ds", "v1dd_ds"] | None = Field(
        default=None, description="Its frame with the pia at y = 0, as standard-transform names it"
    )
    annotations: AnnotationStore | None = Field(default=None, description="Where people's annotations are")
    neuroglancer: NeuroglancerSites = Field(default=NeuroglancerSites(), description="Where scenes are looked at")
    viewer_start: ViewerStart | None = Field(default=None, description="Where a new scene looks")


_CRANT_SERVER = "https://proofreading.zetta.ai"
_CRANT_SEGMENTATION = "graphene://middleauth+https://data.proofreading.zetta.ai/segmentation/table"
_CRANT_SEGMENTATION_BUCKET = "precomputed://gs://dkronauer-ant-001-segmentations-prod"
_CRANT_IMAGE_BUCKET = "precomputed://gs://dkronauer-ant-001-alignment-final"
_CRANT_NEUROPILS = "https://raw.githubusercontent.com/yigityargili991/haberkernlab_mesh_repo"
_DAF_SERVER = "https://global.daf-apis.com"
_ALLEN_SERVER = "https://global.em.brain.allentech.org"

_CRANT: dict[str, Any] = {
    "server": _CRANT_SERVER,
    "viewer_resolution": (8, 8, 42),
    "segmentation_resolution": (16, 16, 42),
    "base_segmentation_source": f"{_CRANT_SEGMENTATION_BUCKET}/ng/seg/240904-finetune-v3.2-0.21-size-1x",
    "image_source": f"{_CRANT_IMAGE_BUCKET}/aligned",
    "brain_mesh_source": f"{_CRANT_IMAGE_BUCKET}/tissue_mesh/mesh#type=mesh",
    "neuropil_source": f"precomputed://{_CRANT_NEUROPILS}/6d007140ff8b15dd20b4110b8c22b556e76c6f14/",
    "neuropil_segments": tuple(range(1, 37)),
    "nucleus_source": f"{_CRANT_SEGMENTATION_BUCKET}/nucleus/240910-nucleus",
    "synapse_table": "synapses_v2",
    "proofreading_table": "backbone_proofread",
    "cell_table": "cell_info",
    "annotations": SeaTableStore(
        server="https://cloud.seatable.io/", workspace="62919", base="CRANTb", table="CRANTb_meta"
    ),
    "neuroglancer": NeuroglancerSites(states=f"{_DAF_SERVER}/nglstate"),
    "viewer_start": ViewerStart(
        position=(25148.33, 19334.74, 1531.5),
        section_scale=85.66,
        projection_scale=78956.26,
        projection_depth=541651.4,
    ),
}
_MINNIE: dict[str, Any] = {
    "server": _DAF_SERVER,
    "viewer_resolution": (4, 4, 40),
    "cell_lookup_view": "nucleus_detection_lookup_v1",
    "cell_main_table": "nucleus_detection_v0",
    "cell_alternative_tables": ("nucleus_alternative_points",),
    "export_source": "gs://mat_dbs/public/minnie65_phase3_v1",
    "oriented_frame": "minnie_ds",
}
_V1DD: dict[str, Any] = {
    "server": _ALLEN_SERVER,
    "viewer_resolution": (9, 9, 45),
    "cell_lookup_view": "nucleus_alternative_lookup",
    "cell_main_table": "nucleus_detection_v0",
    "export_source": "gs://cave_annotation_bucket/public/v1dd",
    "oriented_frame": "v1dd_ds",
}

PRESETS: tuple[Dataset, ...] = (
    Dataset(
        name="latest",
        datastack="kronauer_ant",
        chunkedgraph_table="kronauer_ant_x1",
        segmentation_source=f"{_CRANT_SEGMENTATION}/kronauer_ant_x1",
        aliases=("crant", "crantb", "kronauer_ant"),
        description="CRANT: the clonal raider ant brain, production",
        **_CRANT,
    ),
    Dataset(
        name="sandbox",
        datastack="kronauer_ant_sandbox",
        chunkedgraph_table="kronauer_ant_sandbox_x1",
        segmentation_source=f"{_CRANT_SEGMENTATION}/kronauer_ant_sandbox_x1",
        aliases=("crant_sandbox", "crantb_sandbox", "kronauer_ant_sandbox"),
        description="CRANT's own sandbox for practising edits (not the offline one)",
        **_CRANT,
    ),
    Dataset(
        name="minnie65_public",
        datastack="minnie65_public",
        aliases=("microns_public", "minnie_public", "microns"),
        description="MICrONS cubic millimetre of mouse visual cortex, public releases",
        **_MINNIE,
    ),
    Dataset(
        name="minnie65_phase3_v1",
        datastack="minnie65_phase3_v1",
        aliases=("microns_prod", "minnie_prod", "minnie65", "minnie"),
        description="MICrONS cubic millimetre of mouse visual cortex, production",
        **_MINNIE,
    ),
    Dataset(
        name="v1dd",
        datastack="v1dd",
        aliases=("v1dd_prod",),
        cell_alternative_tables=("nucleus_alternative_points",),
        description="V1 deep dive, production",
        **_V1DD,
    ),
    Dataset(
        name="v1dd_public",
        datastack="v1dd_public",
        description="V1 deep dive, public releases",
        **_V1DD,
    ),
)


def get_dataset(name: str, extra: Iterable[Dataset] = ()) -> Dataset:
    """Find a dataset by its name or an alias.

    Parameters
    ----------
    name : str
        Name or alias, in capitals or not, with `-` or `_`.
    extra : iterable of Dataset
        Datasets from settings; they may not take the name of a preset.

    Raises
    ------
    UnknownDataset
        With the nearest known names.
    """
    known = by_name(extra)
    found = known.get(name) or known.get(str(name).strip().lower().replace("-", "_"))
    if found is not None:
        return found
    near = get_close_matches(str(name), known, n=3) or sorted({dataset.name for dataset in known.values()})
    raise UnknownDataset(f"no dataset is called {name!r}", value=name, hint=f"known: {', '.join(near)}")


def by_name(extra: Iterable[Dataset] = ()) -> dict[str, Dataset]:
    """Map names and aliases to datasets: others add to the presets and replace none, and no alias hides a name."""
    known: dict[str, Dataset] = {}
    for datasets in (PRESETS, tuple(extra)):
        names = [(dataset.name, dataset) for dataset in datasets]
        aliases = [(alias, dataset) for dataset in datasets for alias in dataset.aliases]
        for name, dataset in (*names, *aliases):
            known.setdefault(name, dataset)
    return known
