"""Which token goes to which server of annotations, and that importing does nothing."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from crant_core import registry
from crant_core.datasets import CaveTableStore, Dataset, SeaTableStore, get_dataset
from crant_core.errors import InvalidInput
from crant_core.registry import given_annotation_token, register
from crant_core.sandbox import demo_dataset

ROOT = Path(__file__).parents[4]
LAB = "https://table.lab.example"


@pytest.fixture(autouse=True)
def no_tokens(monkeypatch):
    for name in ("CRANTTABLE_TOKEN", "CRANT_SEATABLE_API_TOKEN", "CRANT_ANNOTATION_TOKENS", "CRANT_CAVE_TOKENS"):
        monkeypatch.delenv(name, raising=False)
    for name in ("_registered", "_tokens", "_annotation_tokens"):
        monkeypatch.setattr(registry, name, {})


def lab(server: str = LAB) -> Dataset:
    store = SeaTableStore(server=server, workspace="1", base="b", table="t")
    return Dataset(
        name="lab", datastack="lab", server="https://cave.lab.example", viewer_resolution=(8, 8, 42), annotations=store
    )


@pytest.mark.parametrize("variable", ["CRANTTABLE_TOKEN", "CRANT_SEATABLE_API_TOKEN"])
def test_crantpys_variable_is_read_when_it_is_needed(monkeypatch, variable):
    assert given_annotation_token(get_dataset("latest")) is None
    monkeypatch.setenv(variable, "secret")
    assert given_annotation_token(get_dataset("latest")) == "secret"
    assert given_annotation_token(get_dataset("sandbox")) == "secret"  # the same base


def test_it_is_sent_to_no_other_server(monkeypatch):
    monkeypatch.setenv("CRANTTABLE_TOKEN", "secret")
    assert given_annotation_token(lab()) is None
    assert given_annotation_token(get_dataset("minnie65_public")) is None


def test_settings_name_tokens_by_server(monkeypatch):
    monkeypatch.setenv("CRANT_ANNOTATION_TOKENS", f'{{"{LAB}/": "mine"}}')
    assert given_annotation_token(lab()) == "mine"
    assert given_annotation_token(lab(f"{LAB}/")) == "mine"
    assert given_annotation_token(get_dataset("latest")) is None


def test_a_registered_token_goes_first(monkeypatch):
    monkeypatch.setenv("CRANT_ANNOTATION_TOKENS", f'{{"{LAB}": "mine"}}')
    register(lab(), token="cave", annotation_token="registered")
    assert given_annotation_token(lab()) == "registered"


def test_the_cave_token_serves_only_where_one_server_does_both():
    register(lab(), token="cave")
    assert given_annotation_token(lab()) is None
    both = register(demo_dataset("http://127.0.0.1:1"), token="cave")
    assert given_annotation_token(both) == "cave"


def test_a_token_for_annotations_that_need_none_is_a_mistake():
    with pytest.raises(InvalidInput, match="need no token"):
        register(lab().model_copy(update={"annotations": CaveTableStore(table="t")}), annotation_token="x")


def test_tokens_are_not_shown(monkeypatch):
    from crant_core.settings import LibrarySettings

    monkeypatch.setenv("CRANTTABLE_TOKEN", "secret")
    monkeypatch.setenv("CRANT_ANNOTATION_TOKENS", f'{{"{LAB}": "secret"}}')
    assert "secret" not in repr(LibrarySettings())


def test_importing_asks_for_no_token_and_leaves_logging_alone():
    # D19: crantpy cannot be imported without one. seatable-api sends everybody's log messages to stdout.
    code = (
        "import logging, crant_core.annotations, sys\n"
        "from crant_core.sources import seatable_requests\n"
        "assert 'seatable_api' not in sys.modules\n"
        "seatable_requests._prepare()\n"
        "assert 'seatable_api' in sys.modules\n"
        "assert not logging.getLogger().handlers and logging.getLogger().level == logging.WARNING\n"
    )
    ran = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout == ""


def test_the_sandboxes_dataset_names_its_tables_and_annotations():
    from crant_core.sandbox import names

    demo = demo_dataset("http://127.0.0.1:1/")
    assert demo.synapse_table == names.SYNAPSES
    assert (demo.cell_table, demo.proofreading_table) == ("cell_info", "backbone_proofread")
    assert demo.annotations == SeaTableStore(
        server="http://127.0.0.1:1", workspace="62919", base="CRANTb", table="CRANTb_meta"
    )
    assert demo.model_validate(demo.model_dump(mode="json")) == demo
