"""Every setting of the service, declared once. Read only by the processes' entry points.

Each field is the environment variable `CRANT_<NAME>`; lists and mappings are JSON.
"""

from __future__ import annotations

from typing import Self

from pydantic import Field, SecretStr, model_validator
from sqlalchemy import make_url

from crant_core.jobs.model import Scope
from crant_core.settings import LibrarySettings


class Settings(LibrarySettings):
    """Settings of the API and the workers, and the library's."""

    database_url: str = Field(
        description="SQLAlchemy address of the jobs database: sqlite:////abs/path or postgresql+psycopg://…"
    )
    database_password: SecretStr | None = Field(
        default=None, description="Goes into the database's address, so that it can be a secret file of its own"
    )
    broker_url: str = Field(description="Celery broker, such as redis://host:6379/0 or redis+socket:///path/redis.sock")
    artifacts_url: str = Field(description="Where result files go: file:///abs/folder, s3://bucket/path, gs://…")
    flower_url: str | None = Field(default=None, description="Where people reach Flower, for links from jobs")
    public_url: str | None = Field(
        default=None, pattern=r"^https?://", description="Where people reach this service, for links that leave it"
    )
    lab_read: bool = Field(default=False, description="Whether everybody with a token sees everybody's jobs")
    middle_auth_url: str | None = Field(
        default=None,
        pattern=r"^https?://",
        description="CAVE's login service, such as https://global.daf-apis.com/auth, whose tokens are then taken, too",
    )
    middle_auth_scopes: dict[str, list[Scope]] = Field(
        default={},
        description='What members of its groups may do, such as {"our_lab": ["read", "submit"]}; "*" is everybody with '
        "an account; who is in none of the groups is not let in",
    )
    requests_per_minute: int = Field(
        default=1200, ge=0, description="Requests of one token that each API process takes in a minute; 0: any number"
    )
    upload_megabytes: int = Field(default=256, ge=1, description="How large an uploaded list of ids may be")
    upload_ids: int = Field(default=10_000_000, ge=1, description="How many ids it may have")
    body_seconds: float = Field(
        default=20, gt=0, description="How long a caller may pause while sending a body, beside 8 KiB in each second"
    )
    lease_seconds: float = Field(default=60, gt=1, description="A unit whose worker is silent this long is given away")
    rehint_seconds: float = Field(
        default=30, gt=0, description="A queued unit is offered to the broker again after this"
    )
    window: int = Field(default=64, ge=1, description="Units that wait in the broker at most")
    poll_seconds: float = Field(default=0.25, gt=0, description="Pause between two looks for work to offer")
    max_attempts: int = Field(
        default=3, ge=1, description="Processes that an item may kill, one after the other, before it is quarantined"
    )
    grace_seconds: float = Field(
        default=3, ge=0, description="A unit that was cancelled may go on for so long before its process is killed"
    )
    tick_seconds: float = Field(
        default=10, ge=1, description="Between two looks for schedules that are due; how late a run may begin"
    )
    slot_grace_seconds: float = Field(
        default=300,
        ge=0,
        description="How late a slot may be noticed and still be run by a schedule that catches up with nothing",
    )
    shutdown_seconds: float = Field(
        default=20,
        ge=0,
        description="What a worker is doing when it is told to stop may go on for so long; then others get it",
    )
    child_megabytes: int | None = Field(
        default=None,
        ge=256,
        description="Memory that each process of a worker may use; who needs more goes to `heavy`",
    )
    heavy_vertices: int | None = Field(
        default=None, ge=1, description="Neurons whose mesh has more vertices are done by the workers of `heavy`"
    )
    sql_rows: int = Field(
        default=100_000,
        ge=0,
        description="Rows that a job puts into a table of results at most; larger tables are in its Parquet files only",
    )
    traces_endpoint: str | None = Field(
        default=None,
        validation_alias="OTEL_EXPORTER_OTLP_ENDPOINT",
        description="Where OpenTelemetry traces go, over HTTP; its other OTEL_ variables count as well",
    )
    log_level: str = Field(default="INFO", description="Least severe level that is logged")
    log_json: bool = Field(default=False, description="One JSON object per log line instead of text for people")

    @model_validator(mode="after")
    def _with_password(self) -> Self:
        if self.database_password is not None:
            address = make_url(self.database_url).set(password=self.database_password.get_secret_value())
            self.__dict__["database_url"] = address.render_as_string(hide_password=False)
        return self
