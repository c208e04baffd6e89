"""The operator's door: `python -m crant_core.jobs db upgrade`, `… token create --owner NAME`."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Annotated

import typer

from crant_core.jobs import schema
from crant_core.jobs.artifacts import CloudStore
from crant_core.jobs.database import Database
from crant_core.jobs.model import Scope
from crant_core.jobs.repository.tokens import TokenRepository
from crant_core.jobs.settings import Settings

app = typer.Typer(help=__doc__, no_args_is_help=True)
db = typer.Typer(help="The jobs database.", no_args_is_help=True)
token = typer.Typer(help="API tokens.", no_args_is_help=True)
app.add_typer(db, name="db")
app.add_typer(token, name="token")


def _database() -> Database:
    return Database(Settings().database_url)  # read from the environment


@db.command()
def upgrade() -> None:
    """Bring the database to this release's schema."""
    schema.upgrade(_database())


@db.command()
def check() -> None:
    """Exit with 1 if the database has neither this release's schema nor a newer one's, on which this one works."""
    if not schema.is_usable(_database()):
        typer.echo("The database has an older schema, or none. Run: python -m crant_core.jobs db upgrade", err=True)
        raise typer.Exit(1)


@token.command()
def create(
    owner: Annotated[str, typer.Option(help="Whose token it is")],
    scope: Annotated[list[Scope] | None, typer.Option(help="What it allows; read and submit if left out")] = None,
    label: Annotated[str, typer.Option(help="What it is for")] = "",
    days: Annotated[int | None, typer.Option(min=1, help="Days until it expires; never if left out")] = None,
) -> None:
    """Create a token and print it; it cannot be shown again."""
    lifetime = timedelta(days=days) if days else None
    scopes = scope or [Scope.READ, Scope.SUBMIT]
    typer.echo(TokenRepository(_database()).create(owner, scopes, label=label, lifetime=lifetime))


@app.command()
def doctor() -> None:
    """Look at database, broker, store and CAVE tokens, and print what was found as JSON."""
    from crant_core.jobs.doctor import examine

    typer.echo(json.dumps(examine(Settings())))  # read from the environment


@app.command()
def purge(
    keep: Annotated[int, typer.Option(min=1, help="Runs of each schedule, or of each label and criteria, that stay")],
    grace_hours: Annotated[float, typer.Option(min=1, help="Files must be as old as this to go")] = 24,
    really: Annotated[bool, typer.Option("--really", help="Do it; otherwise only say what would be done")] = False,
) -> None:
    """Remove old refreshes, and files that no job has any more. Without --really, say what would go."""
    from crant_core.jobs.purging import purge as remove
    from crant_core.jobs.repository.retention import RetentionRepository

    settings, grace = Settings(), timedelta(hours=grace_hours)  # read from the environment
    repository, store = RetentionRepository(Database(settings.database_url)), CloudStore(settings.artifacts_url)
    found = remove(repository, store, keep=keep, grace=grace, really=really)
    for job in found.runs:
        typer.echo(f"run {job.id}  {job.kind}  {job.label}  {job.created_at:%Y-%m-%d %H:%M}  {job.state}")
    said = "removed" if really else "would go; with --really they do"
    typer.echo(f"{len(found.runs)} runs and {len(found.files)} files ({found.size:,} bytes): {said}")


if __name__ == "__main__":
    app()
