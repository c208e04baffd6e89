"""A made-up graph."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from starlette.responses import JSONResponse

from crant_core.sandbox import layout, names
from crant_core.sandbox.answers import base_url
from crant_core.sandbox.graph.chunkedgraph import ChunkedGraph
from crant_core.sandbox.graph.operations import EditRefused

TOKEN = "0123456789abcdef0123456789abcdef"


T0 = datetime(2024, 1, 1, tzinfo=UTC)


T1 = datetime(2024, 2, 1, 12, 0, 0, 123000, tzinfo=UTC)


T2 = datetime(2024, 3, 1, 12, 0, 0, 456000, tzinfo=UTC)


T3 = datetime(2024, 4, 1, tzinfo=UTC)


MS = timedelta(milliseconds=1)


ROOT = 8 << 56


UNKNOWN = ROOT + 12_345


TABLE = f"/segmentation/api/v1/table/{names.TABLE}"


def node(layer, x, segment=1):
    return int(layout.encode(layer, [x, 0, 0], segment))


A, B, C, D, E, F = (node(1, x) for x in (0, 1, 4, 5, 6, 20))


def make_graph():
    """Roots 1 = abcd, 2 = e, 3 = f; T1: 1 becomes 4 = abc and 5 = d; T2: 5 and 2 become 6 = de; T3: a failure."""
    supervoxels = np.array([A, B, C, D, E, F], dtype=np.uint64)
    found = ChunkedGraph.ingest(supervoxels, np.array([(0, 1), (1, 2), (2, 3)]), np.ones(3, bool), T0)
    found.cut([(C, D)], T1, 1, ([(16.0, 32.0, 42.0)], [(160.0, 320.0, 420.0)]))
    found.merge([(D, E)], T2, 2)
    with pytest.raises(EditRefused):
        found.merge([(D, E)], T3, 2)
    return found


async def info(request):
    base = base_url(request)
    return JSONResponse(
        {
            "aligned_volume": {"id": 1, "name": "v", "image_source": "", "description": "", "display_name": "v"},
            "segmentation_source": f"graphene://{base}/segmentation/table/{names.TABLE}",
            "local_server": base,
            "viewer_resolution_x": 8.0,
            "viewer_resolution_y": 8.0,
            "viewer_resolution_z": 42.0,
        }
    )
