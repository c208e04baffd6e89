"""One annotation table: rows bound to the segmentation by supervoxels."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd


@dataclass
class Table:
    """An annotation table.

    Attributes
    ----------
    rows : DataFrame
        One row per annotation, in id order, flat: `id` int64, `created` and `deleted` datetime64[ns, UTC] (`deleted` is
        NaT while a row holds), `superceded_id` Int64, `valid` bool, per point `<point>_position_x/_y/_z` int32 in units
        of `voxel_resolution`, per bound point also `<point>_supervoxel_id` uint64 (0 until looked up), and the
        schema's own columns. Root ids are not stored: they follow from supervoxels and a time.
    points : tuple of str
        Prefixes of bound points, such as `("pre_pt", "post_pt")`: each gets `<point>_root_id` when queried.
    reference_table : str, optional
        The table whose ids `target_id` holds.
    deleted : datetime, optional
        When the table was deleted; its rows stay for the versions that froze them.
    """

    name: str
    schema: str
    rows: pd.DataFrame
    points: tuple[str, ...]
    created: datetime
    voxel_resolution: tuple[float, float, float] = (1.0, 1.0, 1.0)
    reference_table: str | None = None
    description: str = ""
    notice_text: str | None = None
    user_id: int = 1
    deleted: datetime | None = None
    metadata: dict[str, object] = field(default_factory=dict)
