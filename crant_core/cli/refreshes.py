"""Commands about refreshes: what changed between two of them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote

import typer

from crant_core.answers import check
from crant_core.cli import complete, show
from crant_core.cli.jobs import Json
from crant_core.client import Crant

_RUN = {"show_default": False, "autocompletion": complete.job}


def diff(
    before: Annotated[str, typer.Argument(help="Id of the earlier refresh", **_RUN)],
    after: Annotated[str, typer.Argument(help="Id of the later refresh", **_RUN)],
    shown: Annotated[int, typer.Option(min=1, max=10_000, help="Of each sort of change so many at most")] = 10,
    html: Annotated[Path | None, typer.Option(help="Write the report to this file")] = None,
    json_: Json = False,
) -> None:
    """Say what changed between two refreshes."""
    if html is not None:
        html.write_text(_page(Crant(), before, after, shown), encoding="utf-8")
        typer.echo(str(html))
        return
    told = Crant().diff(before, after, shown=shown)
    (show.plain_json if json_ else _show)(told)


def _page(service: Crant, before: str, after: str, shown: int) -> str:
    path = f"/v1/jobs/{quote(before, safe='')}/diff/{quote(after, safe='')}"
    response = service.http.get(path, params={"shown": shown}, headers={"Accept": "text/html"})
    check(response)
    return response.text


def _show(told: Mapping[str, Any]) -> None:
    said, numbers = told["summary"], told["numbers"]
    named = {
        "neurons": f"{said['neurons_before']} → {said['neurons_after']}",
        "changed": f"{said['changed_percent']:g} %",
        **{name: str(numbers[name]) for name in ("added", "gone", "edited", "failures")},
    }
    show.facts(named)
    show.table(
        ("was", "is", "share"), ((one["old_id"], one["new_id"], f"{one['share']:.0%}") for one in told["edited"])
    )
    measured = [*told["skeletons"], *told["synapses"]]
    columns = ("neuron", "measure", "before", "after")
    show.table(columns, ((one["root_id"], one["measure"], one["before"], one["after"]) for one in measured))
    pairs = ((one["pre"], one["post"], one["before"], one["after"]) for one in told["connections"])
    show.table(("from", "to", "synapses before", "after"), pairs)
