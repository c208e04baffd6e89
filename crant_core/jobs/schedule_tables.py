"""The tables of schedules: what is to be done again and again, which slots were left out, and who looked last."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, CheckConstraint, ForeignKey, Index, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from crant_core.jobs.tables import Base, Json, Number


class ScheduleRow(Base):
    """A job to be made at every slot of a timetable, and where the timetable stands."""

    __tablename__ = "schedules"
    __table_args__ = (
        UniqueConstraint("id"),
        UniqueConstraint("owner", "name"),
        UniqueConstraint("owner", "idempotency_key"),
        Index(None, "next_at"),
        CheckConstraint("(cron IS NULL) <> (every_seconds IS NULL)", name="one_timetable"),
    )

    number: Mapped[int] = mapped_column(Number, primary_key=True, doc="order in which they were made")
    id: Mapped[str] = mapped_column(String(32))
    owner: Mapped[str] = mapped_column(String(128))
    name: Mapped[str] = mapped_column(String(100))

    # the job template
    kind: Mapped[str] = mapped_column(String(64))
    dataset: Mapped[str] = mapped_column(String(64))
    parameters: Mapped[Json] = mapped_column(doc="as they were given, without the ids: checked again at every slot")
    input_id: Mapped[str] = mapped_column(ForeignKey("inputs.id"))
    at: Mapped[str] = mapped_column(String(64), doc="the point in time each job asks for")
    label: Mapped[str] = mapped_column(String(200))
    priority: Mapped[int]
    reuse: Mapped[bool]
    notify: Mapped[list[dict[str, Any]]] = mapped_column(JSON, doc="who is told of what")

    # the timetable
    cron: Mapped[str | None] = mapped_column(String(100))
    zone: Mapped[str] = mapped_column(String(64), doc="the time zone that cron is read in")
    every_seconds: Mapped[int | None]
    jitter_seconds: Mapped[int]
    enabled: Mapped[bool]
    overlap: Mapped[str] = mapped_column(String(16))
    catch_up: Mapped[str] = mapped_column(String(8))

    # where it stands
    revision: Mapped[int] = mapped_column(default=1, doc="counts what people changed")
    begun_at: Mapped[datetime] = mapped_column(doc="slots after this count; intervals begin here")
    last_slot: Mapped[datetime | None] = mapped_column(doc="the last one that was dealt with, run or left out")
    next_slot: Mapped[datetime | None] = mapped_column(doc="nothing: it is disabled, or there is none")
    next_at: Mapped[datetime | None] = mapped_column(doc="the next slot with its jitter")
    error_code: Mapped[str | None] = mapped_column(String(64), doc="why the last slot made no job")
    error_message: Mapped[str | None] = mapped_column(Text)
    idempotency_key: Mapped[str | None] = mapped_column(String(255))
    body_hash: Mapped[str] = mapped_column(String(64))
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime] = mapped_column(doc="when somebody changed it")


class SkipRow(Base):
    """Slots of a schedule that made no job, one after the other, for one reason."""

    __tablename__ = "schedule_skips"
    __table_args__ = (UniqueConstraint("schedule_id", "slot"),)

    id: Mapped[int] = mapped_column(Number, primary_key=True)
    schedule_id: Mapped[str] = mapped_column(ForeignKey("schedules.id", ondelete="CASCADE"))
    slot: Mapped[datetime] = mapped_column(doc="the first of them")
    last_slot: Mapped[datetime]
    count: Mapped[int]
    reason: Mapped[str] = mapped_column(String(16))
    detail: Mapped[str] = mapped_column(Text)
    at: Mapped[datetime] = mapped_column(doc="when the last of them was left out")


class TickRow(Base):
    """When something was done last that has to be done again and again."""

    __tablename__ = "ticks"

    name: Mapped[str] = mapped_column(String(64), primary_key=True)
    at: Mapped[datetime]
    holder: Mapped[str] = mapped_column(String(128), doc="who did it")
