"""What every command can be told: which database, which schema, and whether to show tracebacks.

``pgboss --schema jobs queues list`` and ``pgboss queues list --schema jobs`` mean the same; the latter wins.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import typer
from typer.core import TyperCommand, TyperOption

__all__ = [
    "DSN_HELP",
    "SCHEMA_HELP",
    "ConnectedCommand",
    "Invocation",
    "UnconnectedCommand",
    "command_group",
    "invocation",
]

DSN_HELP = "The database, as any libpq connection string. [default: DATABASE_URL]"
SCHEMA_HELP = "The schema pg-boss lives in. [default: PGBOSS_SCHEMA, else pgboss]"
DEBUG_HELP = "Show tracebacks."


@dataclass(slots=True)
class Invocation:
    """One run of the command line."""

    dsn: str | None = None
    schema: str | None = None
    debug: bool = False


def invocation(context: typer.Context) -> Invocation:
    """What this run was told so far."""
    run: Invocation = context.find_root().ensure_object(Invocation)
    return run


def command_group(help: str) -> typer.Typer:
    """A group of commands; alone, it shows its help."""
    # Help in rich's boxes would take twice as long to appear, and is worse to copy from.
    return typer.Typer(help=help, no_args_is_help=True, rich_markup_mode=None)


class UnconnectedCommand(TyperCommand):
    """A command that takes ``--schema`` and ``--debug``, and connects to no database of the user's."""

    def __init__(self, *args: Any, **keywords: Any) -> None:
        super().__init__(*args, **keywords)
        self.params += [_option("schema", SCHEMA_HELP, metavar="NAME"), _option("debug", DEBUG_HELP, is_flag=True)]


class ConnectedCommand(UnconnectedCommand):
    """A command that takes ``--dsn`` as well."""

    def __init__(self, *args: Any, **keywords: Any) -> None:
        super().__init__(*args, **keywords)
        self.params[-2:-2] = [_option("dsn", DSN_HELP)]


def _option(name: str, help: str, **keywords: Any) -> TyperOption:
    return TyperOption(
        param_decls=[f"--{name}"], help=help, expose_value=False, callback=_noting(name), show_default=False, **keywords
    )


def _noting(name: str) -> Callable[[typer.Context, object, Any], None]:
    def note(context: typer.Context, _option: object, value: Any) -> None:
        # Absent here, it may have been given before the command's name.
        if value:
            setattr(invocation(context), name, value)

    return note
