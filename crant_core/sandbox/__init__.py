"""An offline CAVE: one local HTTP server that the real caveclient and the real cloud-volume talk to.

It serves the five real neurons that the installed navis package carries, as the datastack `crant_demo`. No real
server uses that name, so a session with the sandbox cannot be mistaken for, or redirect, a real one.

It is not the dataset `sandbox`, which is CRANT's own online datastack for practising edits.
"""

from __future__ import annotations

from crant_core.datasets import Dataset, SeaTableStore
from crant_core.sandbox import names

__all__ = ["demo_dataset"]


def demo_dataset(url: str) -> Dataset:
    """Describe the sandbox's dataset, `demo`.

    Parameters
    ----------
    url : str
        Address of a running sandbox, such as `http://127.0.0.1:8765`.
    """
    server = url.rstrip("/")
    bucket = f"precomputed://{server}/gcs"
    return Dataset(
        name="demo",
        datastack=names.DATASTACK,
        server=server,
        viewer_resolution=(8, 8, 42),
        segmentation_resolution=(16, 16, 42),
        chunkedgraph_table=names.TABLE,
        segmentation_source=f"graphene://{server}/segmentation/table/{names.TABLE}",
        image_source=f"{bucket}/em",
        brain_mesh_source=f"{bucket}/tissue_mesh/mesh#type=mesh",
        nucleus_source=f"{bucket}/nucleus",
        neuropil_source=f"{bucket}/neuropils",
        synapse_table=names.SYNAPSES,
        proofreading_table="backbone_proofread",
        cell_table="cell_info",
        cell_lookup_view="nucleus_detection_lookup_v1",
        cell_main_table=names.NUCLEI,
        cell_alternative_tables=("nucleus_alternative_points",),
        export_source=f"{server}/gcs/exports/{names.DATASTACK}",
        annotations=SeaTableStore(
            server=server,
            workspace=names.SEATABLE_WORKSPACE,
            base=names.SEATABLE_BASE,
            table=names.SEATABLE_TABLE,
        ),
        description="Real hemibrain neurons and made-up partners, served by the offline CAVE",
        lasting=False,  # a reset or another start gives the same ids to other roots
    )
