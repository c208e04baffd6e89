"""What people say about neurons: annotations in SeaTable, in a CAVE table or in a file, behind one port."""

from __future__ import annotations

from crant_core.annotations.base import AnnotationSource
from crant_core.annotations.filtering import filter_df
from crant_core.annotations.supervoxels import supervoxels_of
from crant_core.sources.seatable import create_sql_query

__all__ = ["AnnotationSource", "create_sql_query", "filter_df", "supervoxels_of"]
