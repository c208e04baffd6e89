"""What things are called in the sandbox; no real server uses these names, so no session can be redirected by them."""

from __future__ import annotations

DATASTACK = "crant_demo"
ALIGNED_VOLUME = "crant_demo_volume"
TABLE = "crant_demo_x1"  #: chunkedgraph table
SYNAPSES = "synapses_v2"
NUCLEI = "nucleus_detection_v0"
SEATABLE_WORKSPACE = "62919"
SEATABLE_BASE = "CRANTb"
SEATABLE_TABLE = "CRANTb_meta"
UNSHARDED_TABLE = "crant_demo_unsharded"  #: the same neurons, their meshes as plain files
