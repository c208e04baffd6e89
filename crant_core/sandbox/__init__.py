"""An offline CAVE: one local HTTP server that the real caveclient and the real cloud-volume talk to.

It serves the five real neurons that the installed navis package carries, as the datastack `crant_demo`. No real
server uses that name, so a session with the sandbox cannot be mistaken for, or redirect, a real one.

It is not the dataset `sandbox`, which is CRANT's own online datastack for practising edits.
"""

from __future__ import annotations

from crant_core.datasets import Dataset
from crant_core.sandbox.names import DATASTACK, NUCLEI

__all__ = ["demo_dataset"]


def demo_dataset(url: str) -> Dataset:
    """Describe the sandbox's dataset, `demo`.

    Parameters
    ----------
    url : str
        Address of a running sandbox, such as `http://127.0.0.1:8765`.
    """
    return Dataset(
        name="demo",
        datastack=DATASTACK,
        server=url.rstrip("/"),
        viewer_resolution=(8, 8, 42),
        aliases=(),
        description="Real hemibrain neurons and made-up partners, served by the offline CAVE",
        lasting=False,  # a reset or another start gives the same ids to other roots
        cell_lookup_view="nucleus_detection_lookup_v1",
        cell_main_table=NUCLEI,
        cell_alternative_tables=("nucleus_alternative_points",),
    )
