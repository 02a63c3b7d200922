"""How commands end: the exit codes, which error means which, and the one line that says why."""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

import typer

from pgboss.cli.invocation import invocation
from pgboss.errors import (
    ConfigurationError,
    DatabaseUnavailableError,
    EmbeddedServerError,
    PgBossError,
    SchemaError,
    ValidationError,
)

__all__ = ["EXIT_CODES", "CommandError", "exit_code", "explained", "give_up"]

FAILED = 1
USAGE = 2
UNAVAILABLE = 3
UNUSABLE_SCHEMA = 4
INTERRUPTED = 130

EXIT_CODES = {
    0: "done",
    FAILED: "not done, or only in part: no such job or queue, refused, conflict; doctor found drift",
    USAGE: "unusable arguments, settings, JSON or job modules",
    UNAVAILABLE: "the database cannot be reached, or does not let us in",
    UNUSABLE_SCHEMA: "the pg-boss schema is missing, half installed or of another version",
    INTERRUPTED: "interrupted with Ctrl-C; worker and dev stop cleanly instead, with 0",
}

_CODE_OF: tuple[tuple[type[PgBossError], int], ...] = (
    (DatabaseUnavailableError, UNAVAILABLE),
    (EmbeddedServerError, UNAVAILABLE),
    (SchemaError, UNUSABLE_SCHEMA),
    (ConfigurationError, USAGE),
    (ValidationError, USAGE),
)


class CommandError(PgBossError):
    """A command could not do what it was asked to, for a reason that only the command knows."""


def exit_code(error: PgBossError) -> int:
    """The exit code of a command that ended with this error."""
    return next((code for kind, code in _CODE_OF if isinstance(error, kind)), FAILED)


@contextmanager
def explained(context: typer.Context) -> Iterator[None]:
    """End the command with one line on stderr where an error of ours comes out; with ``--debug``, its traceback too."""
    try:
        yield
    except PgBossError as error:
        if invocation(context).debug:
            traceback.print_exc()
        give_up(_in_words(error), exit_code(error))


def give_up(message: str, code: int = FAILED) -> NoReturn:
    """Say on stderr why, and end the command.

    Raises:
        typer.Exit: always.
    """
    typer.echo(f"Error: {message}", err=True)
    raise typer.Exit(code)


def _in_words(error: PgBossError) -> str:
    text = str(error) or type(error).__name__
    # Such an error ends with the lines of the server's log, which are best read as lines.
    return (
        text
        if isinstance(error, EmbeddedServerError)
        else "; ".join(line.strip() for line in text.splitlines() if line.strip())
    )
