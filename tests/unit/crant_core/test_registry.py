from __future__ import annotations

import json
import threading

import pytest

import crant_core
from crant_core import registry
from crant_core.datasets import Dataset, get_dataset
from crant_core.errors import InvalidInput, UnknownDataset
from crant_core.registry import dataset_of, default_dataset, given_token, register, set_default_dataset, set_token

DEMO = Dataset(name="demo", datastack="crant_demo", server="http://127.0.0.1:1/", viewer_resolution=(8, 8, 42))
OTHER = DEMO.model_copy(update={"name": "other", "aliases": ("another",)})


@pytest.fixture(autouse=True)
def empty(monkeypatch):
    monkeypatch.setattr(registry, "_registered", {})
    monkeypatch.setattr(registry, "_tokens", {})
    monkeypatch.setattr(registry, "_default", None)


def test_the_default_is_latest_then_the_settings_then_what_was_said(monkeypatch):
    assert dataset_of().name == default_dataset() == "latest"
    monkeypatch.setenv("CRANT_DEFAULT_DATASET", "sandbox")
    assert dataset_of().name == default_dataset() == crant_core.CRANT_DEFAULT_DATASET == "sandbox"
    assert set_default_dataset("microns_public") == "minnie65_public"
    assert dataset_of().name == default_dataset() == crant_core.CRANT_DEFAULT_DATASET == "minnie65_public"


def test_the_default_takes_effect_in_all_threads():
    # D1: it was copied when a module was imported.
    found = []
    set_default_dataset("sandbox")
    thread = threading.Thread(target=lambda: found.append(dataset_of().name))
    thread.start()
    thread.join()
    assert found == ["sandbox"]


def test_a_default_that_is_unknown_changes_nothing(monkeypatch):
    set_default_dataset("sandbox")
    with pytest.raises(UnknownDataset, match="latest"):
        set_default_dataset("lattest")
    assert default_dataset() == "sandbox"
    monkeypatch.setattr(registry, "_default", None)
    monkeypatch.setenv("CRANT_DEFAULT_DATASET", "lattest")  # D19: this was an error when the package was imported
    with pytest.raises(UnknownDataset, match="lattest"):
        dataset_of()


def test_a_dataset_can_be_the_default_and_is_found_by_name_then():
    assert set_default_dataset(DEMO) == "demo"
    assert dataset_of() == dataset_of("demo") == DEMO


def test_a_registered_dataset_is_found_by_name_and_alias_and_may_be_replaced():
    assert register(OTHER) is OTHER
    assert dataset_of("other") is dataset_of("Another") is OTHER
    newer = OTHER.model_copy(update={"server": "http://127.0.0.1:2"})
    register(newer)
    assert dataset_of("another") is newer


@pytest.mark.parametrize("changed", [{"name": "latest"}, {"aliases": ("crantb",)}])
def test_but_never_a_preset(changed):
    with pytest.raises(InvalidInput, match="built in"):
        register(DEMO.model_copy(update=changed))
    assert get_dataset("latest") is dataset_of("crantb")


def test_a_preset_may_be_given_a_token():
    register(get_dataset("latest"), "mine")
    assert given_token(dataset_of("latest").server) == "mine"
    assert dataset_of("latest") is get_dataset("latest")


def test_what_is_registered_comes_before_what_is_configured(monkeypatch):
    configured = [DEMO.model_dump(mode="json"), OTHER.model_dump(mode="json") | {"datastack": "configured"}]
    monkeypatch.setenv("CRANT_DATASETS", json.dumps(configured))
    assert crant_core.get_dataset("demo") == dataset_of("demo") == DEMO
    assert crant_core.get_dataset("another").datastack == dataset_of("another").datastack == "configured"
    register(OTHER)
    assert crant_core.get_dataset("another") is dataset_of("another") is OTHER
    with pytest.raises(UnknownDataset, match="another"):
        crant_core.get_dataset("anothr")


def test_a_dataset_is_itself_whatever_is_registered():
    assert dataset_of(DEMO) is DEMO
    with pytest.raises(UnknownDataset):
        dataset_of("demo")


def test_a_token_that_was_registered_comes_before_the_settings(monkeypatch):
    assert given_token(DEMO.server) is None
    monkeypatch.setenv("CRANT_CAVE_TOKENS", '{"http://127.0.0.1:1": "of the settings"}')
    assert given_token(DEMO.server) == "of the settings"
    register(DEMO, "registered")
    assert given_token("http://127.0.0.1:1") == given_token("http://127.0.0.1:1/") == "registered"
    register(DEMO)
    assert given_token(DEMO.server) == "registered"
    set_token(DEMO.server, "newer")
    assert given_token(DEMO.server) == "newer"
