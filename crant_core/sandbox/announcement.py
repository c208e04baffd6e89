"""What a started sandbox prints: an address, and what to paste into Python."""

from __future__ import annotations

import numpy as np

from crant_core.sandbox import names
from crant_core.sandbox.live import Sandbox


def announcement(sandbox: Sandbox, url: str) -> str:
    """Return the text; its first line names the address."""
    supervoxels = sandbox.world.frame("truth/neurons").supervoxel_id.to_numpy()[:1]
    root = int(sandbox.graph.roots(np.asarray(supervoxels, dtype=np.uint64), sandbox.clock.now())[0])
    old = int(sandbox.world.frame("truth/lineage").old.iloc[0])
    return f"""sandbox CAVE on {url}

    from caveclient import CAVEclient
    client = CAVEclient(
        "{names.DATASTACK}",
        server_address="{url}",
        auth_token="{sandbox.token}",
        write_server_cache=False,
    )
    client.chunkedgraph.is_latest_roots([{root}])
    client.materialize.synapse_query(pre_ids={root}, materialization_version=3)
    mesh = client.info.segmentation_cloudvolume(progress=False).mesh.get({root})

    import crant_core as cp
    from crant_core.sandbox import demo_dataset
    cp.register(demo_dataset("{url}"), "{sandbox.token}")
    cp.update_ids([{old}], dataset="demo")

    # for the tutorial: export CRANT_SANDBOX_URL={url} CRANT_SANDBOX_TOKEN={sandbox.token}
    # annotations: seatable_api.Base("{sandbox.token}", "{url}"), table {names.SEATABLE_TABLE}
    # neurons, versions, files: {url}/_sandbox/world
"""
