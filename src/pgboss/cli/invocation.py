"""What every command can be told: which database, which schema, and whether to show tracebacks.

``pgboss --schema jobs queues list`` and ``pgboss queues list --schema jobs`` mean the same; the latter wins.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import Annotated, Any, TypeAlias, TypeVar

import typer

__all__ = [
    "DebugOption",
    "DsnOption",
    "Invocation",
    "SchemaOption",
    "command_group",
    "connected",
    "invocation",
    "unconnected",
]

DSN_HELP = "The database, as any libpq connection string. [default: DATABASE_URL]"
SCHEMA_HELP = "The schema pg-boss lives in. [default: PGBOSS_SCHEMA, else pgboss]"
DEBUG_HELP = "Show tracebacks."

DsnOption: TypeAlias = Annotated[str | None, typer.Option("--dsn", help=DSN_HELP)]
SchemaOption: TypeAlias = Annotated[str | None, typer.Option("--schema", metavar="NAME", help=SCHEMA_HELP)]
DebugOption: TypeAlias = Annotated[bool, typer.Option("--debug", help=DEBUG_HELP, show_default=False)]

T = TypeVar("T")


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


def unconnected(command: Callable[..., T]) -> Callable[..., T]:
    """Give a command ``--schema`` and ``--debug``; it connects to no database of the user's."""
    return _told(command, {"schema": SchemaOption, "debug": DebugOption})


def connected(command: Callable[..., T]) -> Callable[..., T]:
    """Give a command ``--dsn``, ``--schema`` and ``--debug``."""
    return _told(command, {"dsn": DsnOption, "schema": SchemaOption, "debug": DebugOption})


def _told(command: Callable[..., T], options: dict[str, Any]) -> Callable[..., T]:
    """Add options to a command's signature, which is where typer looks, and note them before the command runs."""
    # Evaluated, as typer would do with a plain function.
    found = inspect.signature(command, eval_str=True)
    takes_context = "context" in found.parameters

    @wraps(command)
    def run(context: typer.Context, **arguments: Any) -> T:
        for name in options:
            # Absent here, it may have been given before the command's name.
            if value := arguments.pop(name):
                setattr(invocation(context), name, value)
        return command(context=context, **arguments) if takes_context else command(**arguments)

    keyword = inspect.Parameter.KEYWORD_ONLY
    added = [inspect.Parameter(name, keyword, default=None, annotation=kind) for name, kind in options.items()]
    context = inspect.Parameter("context", keyword, annotation=typer.Context)
    parameters = [*found.parameters.values(), *([] if takes_context else [context]), *added]
    run.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    vars(run)["__signature__"] = found.replace(parameters=parameters)
    return run
