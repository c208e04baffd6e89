"""Commands about API tokens: `crant tokens list|create|revoke`."""

from __future__ import annotations

from typing import Annotated

import typer

from crant_core.cli import show
from crant_core.cli.jobs import Json
from crant_core.client import Crant

app = typer.Typer(help="API tokens.", no_args_is_help=True)


@app.command("list")
def list_(json_: Json = False) -> None:
    """List your tokens; an administrator sees everybody's. The tokens themselves cannot be shown again."""
    found = Crant().tokens()
    if json_:
        show.plain_json(found)
        return
    columns = ("id", "owner", "scopes", "label", "created_at", "expires_at", "last_used_at")
    show.table(columns, ([_word(token.get(name)) for name in columns] for token in found))


@app.command()
def create(
    owner: Annotated[str, typer.Argument(help="Whose token it is")],
    scope: Annotated[list[str] | None, typer.Option(help="read, submit or admin; may be repeated")] = None,
    label: Annotated[str, typer.Option(help="What it is for")] = "",
    days: Annotated[int | None, typer.Option(min=1, help="Days until it expires; never if left out")] = None,
    json_: Json = False,
) -> None:
    """Make a token and print it; it cannot be shown again. Administrators only."""
    made = Crant().create_token(owner, scopes=scope or ("read", "submit"), label=label, days=days)
    if json_:
        show.plain_json(made)
    else:
        typer.echo(made["token"])


@app.command()
def revoke(token_id: Annotated[str, typer.Argument(help="Id of a token; see `crant tokens list`")]) -> None:
    """End a token: whoever has it can do nothing any more."""
    Crant().revoke_token(token_id)
    show.out.print(f"{token_id} is revoked")


def _word(value: object) -> str:
    if value is None:
        return ""
    return " ".join(map(str, value)) if isinstance(value, list) else str(value)
