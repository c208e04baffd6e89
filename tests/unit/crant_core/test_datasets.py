from __future__ import annotations

import pytest
from pydantic import ValidationError

from crant_core.datasets import PRESETS, Dataset, by_name, get_dataset
from crant_core.errors import UnknownDataset

DEMO = Dataset(name="demo", datastack="crant_demo", server="http://127.0.0.1:1", viewer_resolution=(8, 8, 42))


def test_names_and_aliases_find_the_same_dataset() -> None:
    assert get_dataset("microns_public") is get_dataset("minnie65_public")
    assert get_dataset("latest").datastack == "kronauer_ant"
    assert get_dataset("sandbox").datastack == "kronauer_ant_sandbox"


def test_no_two_presets_share_a_name() -> None:
    names = [name for dataset in PRESETS for name in (dataset.name, *dataset.aliases) if name != dataset.datastack]
    assert len(names) == len(set(names))
    assert all(get_dataset(name) in PRESETS for name in names)


def test_settings_add_datasets_but_never_replace_one() -> None:
    impostor = DEMO.model_copy(update={"name": "latest"})
    assert get_dataset("demo", [DEMO]) is DEMO
    assert by_name([impostor])["latest"].datastack == "kronauer_ant"


def test_an_unknown_name_is_answered_with_the_nearest() -> None:
    with pytest.raises(UnknownDataset, match="minnie65_public"):
        get_dataset("minnie65_publik")
    with pytest.raises(UnknownDataset, match="v1dd"):
        get_dataset("nothing like it")


def test_datasets_are_frozen_and_checked() -> None:
    with pytest.raises(ValidationError):
        DEMO.name = "other"  # type: ignore[misc]
    with pytest.raises(ValidationError):
        Dataset(name="Bad Name", datastack="x", server="ftp://x", viewer_resolution=(1, 1, 1))


@pytest.mark.parametrize(
    ("typed", "name"),
    [
        ("CRANTb", "latest"),
        ("kronauer_ant", "latest"),
        ("kronauer-ant-sandbox", "sandbox"),
        (" Minnie65-Public ", "minnie65_public"),
        ("microns_public", "minnie65_public"),
        ("v1dd", "v1dd"),
        ("V1DD_PUBLIC", "v1dd_public"),
    ],
)
def test_people_write_names_in_many_ways(typed, name):
    assert get_dataset(typed).name == name


def test_the_constants_of_crant():
    latest, sandbox = get_dataset("latest"), get_dataset("sandbox")
    table = "graphene://middleauth+https://data.proofreading.zetta.ai/segmentation/table"
    assert latest.server == sandbox.server == "https://proofreading.zetta.ai"
    assert (latest.datastack, latest.chunkedgraph_table) == ("kronauer_ant", "kronauer_ant_x1")
    assert (sandbox.datastack, sandbox.chunkedgraph_table) == ("kronauer_ant_sandbox", "kronauer_ant_sandbox_x1")
    assert latest.segmentation_source == f"{table}/kronauer_ant_x1"
    assert sandbox.segmentation_source == f"{table}/kronauer_ant_sandbox_x1"
    assert latest.viewer_resolution == (8, 8, 42)
    assert latest.segmentation_resolution == (16, 16, 42)
    assert latest.synapse_table == "synapses_v2"
    assert latest.annotations is not None
    assert (latest.annotations.workspace, latest.annotations.base, latest.annotations.table) == (
        "62919",
        "CRANTb",
        "CRANTb_meta",
    )


def test_an_alias_never_hides_a_name():
    greedy = DEMO.model_copy(update={"name": "greedy", "aliases": ("demo", "latest", "mine")})
    assert get_dataset("demo", [greedy, DEMO]) is DEMO
    assert get_dataset("latest", [greedy]) in PRESETS
    assert get_dataset("mine", [greedy, DEMO]) is greedy


def test_datasets_can_be_keys():
    assert len({DEMO, DEMO.model_copy(), *PRESETS}) == 1 + len(PRESETS)
