"""Moments that were written down, and a clock that may have been set back since.

What lies further in the future than anything is ever put there was written before the clock was set: it counts as past,
or a lease, a post or a pause would last for as long as the clock was moved.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, and_, or_

FARTHEST = timedelta(minutes=40)  #: more than any pause, reign or lease


def is_past(moment: Any, now: datetime) -> ColumnElement[bool]:
    """Say of a column that its moment is over."""
    return or_(moment <= now, moment > now + FARTHEST)


def is_since(moment: Any, then: datetime, now: datetime) -> ColumnElement[bool]:
    """Say of a column that its moment is between then and now."""
    return and_(moment > then, moment <= now + FARTHEST)
