"""The datasets this library knows, as frozen data. Importing this module does no I/O."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

from pydantic import BaseModel, ConfigDict, Field

from crant_core.errors import UnknownDataset


class Dataset(BaseModel):
    """One CAVE datastack: where it is served and in which units its users count.

    The coordinate frame of every result is the dataset's own, in nm, with the origin at voxel (0, 0, 0).
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(pattern=r"^[a-z0-9_]+$", description="Name used in this library and in jobs")
    datastack: str = Field(description="CAVE datastack")
    server: str = Field(pattern=r"^https?://", description="Address of CAVE's global (info) server")
    viewer_resolution: tuple[float, float, float] = Field(description="nm per voxel in user coordinates")
    aliases: tuple[str, ...] = Field(default=(), description="Other names people type")
    description: str = Field(default="", description="One line for people")


_CRANT_SERVER = "https://proofreading.zetta.ai"
_DAF_SERVER = "https://global.daf-apis.com"
_ALLEN_SERVER = "https://global.em.brain.allentech.org"

PRESETS: tuple[Dataset, ...] = (
    Dataset(
        name="latest",
        datastack="kronauer_ant",
        server=_CRANT_SERVER,
        viewer_resolution=(8, 8, 42),
        aliases=("crant", "crantb", "kronauer_ant"),
        description="CRANT: the clonal raider ant brain, production",
    ),
    Dataset(
        name="sandbox",
        datastack="kronauer_ant_sandbox",
        server=_CRANT_SERVER,
        viewer_resolution=(8, 8, 42),
        aliases=("crant_sandbox", "kronauer_ant_sandbox"),
        description="CRANT's own sandbox for practising edits (not the offline one)",
    ),
    Dataset(
        name="minnie65_public",
        datastack="minnie65_public",
        server=_DAF_SERVER,
        viewer_resolution=(4, 4, 40),
        aliases=("microns_public", "minnie_public"),
        description="MICrONS cubic millimetre of mouse visual cortex, public releases",
    ),
    Dataset(
        name="minnie65_phase3_v1",
        datastack="minnie65_phase3_v1",
        server=_DAF_SERVER,
        viewer_resolution=(4, 4, 40),
        aliases=("microns_prod", "minnie65"),
        description="MICrONS cubic millimetre of mouse visual cortex, production",
    ),
    Dataset(
        name="v1dd",
        datastack="v1dd",
        server=_ALLEN_SERVER,
        viewer_resolution=(9, 9, 45),
        description="V1 deep dive, production",
    ),
    Dataset(
        name="v1dd_public",
        datastack="v1dd_public",
        server=_ALLEN_SERVER,
        viewer_resolution=(9, 9, 45),
        description="V1 deep dive, public releases",
    ),
)


def get_dataset(name: str, extra: Iterable[Dataset] = ()) -> Dataset:
    """Find a dataset by its name or an alias.

    Parameters
    ----------
    name : str
        Name or alias.
    extra : iterable of Dataset
        Datasets from settings; they may not take the name of a preset.

    Raises
    ------
    UnknownDataset
        With the nearest known names.
    """
    known = by_name(extra)
    if name in known:
        return known[name]
    near = get_close_matches(name, known, n=3) or sorted({dataset.name for dataset in known.values()})
    raise UnknownDataset(f"no dataset is called {name!r}", value=name, hint=f"known: {', '.join(near)}")


def by_name(extra: Iterable[Dataset] = ()) -> dict[str, Dataset]:
    """Map every name and alias to its dataset, presets first: settings add datasets but never replace one."""
    known: dict[str, Dataset] = {}
    for dataset in (*PRESETS, *extra):
        for name in (dataset.name, *dataset.aliases):
            known.setdefault(name, dataset)
    return known
