from __future__ import annotations

import json
from pathlib import Path

import pytest

from crant_core.errors import InvalidInput
from crant_core.settings import LibrarySettings, library_settings

DEMO = {"name": "demo", "datastack": "crant_demo", "server": "http://127.0.0.1:1", "viewer_resolution": [8, 8, 42]}


def test_without_an_environment_everything_has_a_default():
    settings = library_settings()
    assert (settings.datasets, settings.default_dataset, settings.cave_tokens) == ([], "latest", {})
    assert settings.cache_folder == Path("~/.cache/crant")


def test_they_are_read_when_they_are_needed(monkeypatch):
    monkeypatch.setenv("CRANT_DATASETS", json.dumps([DEMO]))
    monkeypatch.setenv("CRANT_DEFAULT_DATASET", "demo")
    assert [dataset.name for dataset in library_settings().datasets] == ["demo"]
    assert library_settings().default_dataset == "demo"
    monkeypatch.delenv("CRANT_DEFAULT_DATASET")
    assert library_settings().default_dataset == "latest"


def test_a_token_belongs_to_a_server_with_or_without_a_slash_and_is_not_shown():
    settings = LibrarySettings(cave_tokens={"https://a.org/": "top secret"})
    assert settings.token("https://a.org") == settings.token("https://a.org/") == "top secret"
    assert settings.token("https://b.org") is None
    assert "top secret" not in repr(settings)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("CRANT_CAVE_TOKENS", '{"https://a.org": "top secret"'),
        ("CRANT_CAVE_TOKENS", '{"https://a.org": ["top secret"]}'),
        ("CRANT_DATASETS", '[{"name": "top secret"}]'),
        ("CRANT_CACHE_MEGABYTES", "none"),
    ],
)
def test_what_cannot_be_read_is_named_but_not_shown(name, value, monkeypatch):
    monkeypatch.setenv(name, value)
    with pytest.raises(InvalidInput, match=name.removeprefix("CRANT_").lower()) as caught:
        library_settings()
    assert "top secret" not in str(caught.value)
