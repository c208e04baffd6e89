"""Clients for single datasets, with the names and arguments of cortical-tools: nothing is asked before it is needed."""

from __future__ import annotations

from crant_core.dataset_client.client import DatasetClient
from crant_core.dataset_client.meshes import MeshClient
from crant_core.dataset_client.ossified import to_navis
from crant_core.dataset_client.presets import (
    MicronsProdClient,
    MinniePublicClient,
    V1ddClient,
    V1ddPublicClient,
    load_client,
)

__all__ = [
    "DatasetClient",
    "MeshClient",
    "MicronsProdClient",
    "MinniePublicClient",
    "V1ddClient",
    "V1ddPublicClient",
    "load_client",
    "to_navis",
]
