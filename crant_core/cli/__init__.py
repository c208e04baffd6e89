"""The command `crant`: a client of the HTTP API, and the way to start everything on one machine.

Exit codes: 0 done; 1 an error; 2 bad input; 3 the job ended with failed items; 4 the job failed or was cancelled;
5 no service answers.
"""

from __future__ import annotations

import sys

import typer

from crant_core.cli import demo, doctor, jobs, refreshes, sandbox, schedules, tokens, up
from crant_core.cli.show import complain
from crant_core.errors import CrantError

_EXIT_CODES = (
    "Exit codes: 0 done; 1 an error; 2 bad input; 3 some items failed; 4 the job failed or was cancelled; "
    "5 no service answers."
)

app = typer.Typer(
    help="Batch jobs for connectomics labs on CAVE.",
    epilog=_EXIT_CODES,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
for command in (
    up.up,
    demo.demo,
    sandbox.sandbox,
    jobs.submit,
    jobs.jobs,
    jobs.status,
    jobs.watch,
    jobs.items,
    jobs.cancel,
    jobs.pause,
    jobs.resume,
    jobs.retry,
    jobs.fetch,
    jobs.kinds,
    jobs.datasets,
    doctor.doctor,
):
    app.command()(command)
schedules.app.command()(refreshes.diff)
app.add_typer(schedules.app, name="schedules")
app.add_typer(tokens.app, name="tokens")


def main() -> None:
    """Run the command line; errors of ours become one clear message and an exit code."""
    try:
        app()
    except CrantError as error:
        sys.exit(complain(error))
