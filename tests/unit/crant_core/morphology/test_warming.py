from __future__ import annotations

import logging

from crant_core.mesh import Mesh
from crant_core.morphology import warming
from crant_core.morphology.choices import chosen
from crant_core.morphology.making import make
from crant_core.sources.testing import MemorySource
from tests.fixtures.shapes import fork

ROOT = (8 << 56) | 1


def test_the_engine_is_warmed_once_in_a_process_and_that_is_said_once(caplog):
    warming.warm.cache_clear()
    source = MemorySource(meshes={ROOT: fork(100, 3000)})
    with caplog.at_level(logging.INFO):
        for _ in range(2):
            make(source, ROOT, chosen())
    assert [record.levelname for record in caplog.records if "engine is ready" in record.message] == ["INFO"]


def test_what_it_is_warmed_with_is_a_tube_of_8_um():
    found = warming.tube()
    assert isinstance(found, Mesh)
    assert (len(found.vertices), len(found.faces)) == (320, 624)
    assert found.faces.max() == 319
    assert found.vertices[:, 0].max() == 7800
