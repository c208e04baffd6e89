from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest

from crant_core.sources import caches


@pytest.fixture(autouse=True)
def clean() -> Iterator[None]:
    caches.switch(object())
    yield
    caches.switch(object())


@pytest.mark.parametrize(("module", "path"), caches._CACHES, ids=lambda part: part.rpartition(".")[2])
def test_every_cache_exists_and_is_emptied(module, path):
    __import__(module)
    cache = caches._find(sys.modules[module], path)
    cache["somewhere"] = {}
    caches.forget()
    assert not cache


def test_only_another_owner_empties_them():
    from caveclient.tools.table_manager import _table_cache

    caches.switch(("server", "datastack", "token"))
    _table_cache["table"] = "known"
    caches.switch(("server", "datastack", "token"))
    assert _table_cache["table"] == "known"
    caches.switch(("server", "datastack", "other token"))
    assert "table" not in _table_cache


def test_what_was_never_imported_is_not_imported_for_it(monkeypatch):
    for module, _ in caches._CACHES:
        monkeypatch.delitem(sys.modules, module, raising=False)
    caches.forget()
    assert not {module for module, _ in caches._CACHES} & set(sys.modules)
