"""What commands print: tables for people, JSON for programs, remarks on stderr.

On a terminal a table fits its width. Piped, it is plain text with whole values, one row a line, for grep and awk.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, fields, is_dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import typer

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.text import Text

__all__ = [
    "Column",
    "as_json",
    "members",
    "one_line",
    "print_block",
    "print_facts",
    "print_json",
    "print_table",
    "readable",
    "remark",
]

T = TypeVar("T")

# Wide enough for any value: a pipe has no width, and rich would assume 80 columns and wrap.
UNBOUNDED_COLUMNS = 1_000_000
GAP = 2
# What a column that shrinks keeps at least. On a terminal too narrow for that, lines rather run over than lose ids.
NARROWEST = 12

# Whatever moves the cursor or changes colours: a job's data must not be able to write over what is on the screen.
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Column(Generic[T]):
    """A column of a table, and what it shows of an item; ``shrinks`` when it may be cut short to fit a terminal."""

    title: str
    show: Callable[[T], str]
    right: bool = False
    shrinks: bool = False


def print_table(columns: Sequence[Column[T]], items: Iterable[T]) -> None:
    """Print a table with a line of titles; columns that ``shrink`` share what the others leave of a terminal."""
    from rich.table import Table

    lines = [[_cell(column.show(item)) for column in columns] for item in items]
    table = Table(box=None, pad_edge=False, padding=(0, GAP, 0, 0), header_style="bold")
    needed = 0
    for index, column in enumerate(columns):
        widest = max([len(column.title), *(line[index].cell_len for line in lines)])
        needed += GAP + (min(widest, NARROWEST) if column.shrinks else widest)
        # Rich takes room away from columns that may wrap only; the cells themselves never do.
        table.add_column(column.title, justify="right" if column.right else "left", no_wrap=not column.shrinks)
    for line in lines:
        table.add_row(*line)
    _print(table, at_least=needed)


def print_facts(facts: Iterable[tuple[str, str]]) -> None:
    """Print names and values in two columns; values may have several lines."""
    from rich.table import Table
    from rich.text import Text

    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in facts:
        table.add_row(name, Text(readable(value)))
    _print(table)


def print_block(title: str, text: str) -> None:
    """Print a text of several lines beneath its title, at its full width, so that it can be copied."""
    typer.echo(f"\n{typer.style(title, bold=True)}\n{readable(text)}")


def print_json(value: object) -> None:
    """Print a value as JSON: dataclasses by their fields' names, times as ISO 8601 in UTC."""
    typer.echo(as_json(value, ensure_ascii=not _speaks_unicode()))


def as_json(value: object, *, ensure_ascii: bool = False) -> str:
    """A value as JSON that people can read, too."""
    return json.dumps(value, indent=2, ensure_ascii=ensure_ascii, default=_plain)


def remark(text: str) -> None:
    """Tell people something beside the result; programs that read stdout do not see it."""
    typer.echo(readable(text), err=True)


def readable(text: str) -> str:
    """The text with everything visible that would otherwise act upon a terminal."""
    return _CONTROL.sub(lambda found: found[0].encode("unicode_escape", "surrogatepass").decode(), text)


def one_line(value: object) -> str:
    """A JSON value in one line, for a table; null is nothing."""
    return "" if value is None else json.dumps(value, ensure_ascii=False, default=_plain)


def members(value: Any) -> dict[str, object]:
    """The fields of a dataclass by name."""
    return {field.name: getattr(value, field.name) for field in fields(value)}


def _cell(value: str) -> Text:
    from rich.text import Text

    # Text, because a plain string would be read as markup: [bold] is somebody's data.
    return Text(readable(" ".join(value.splitlines())), no_wrap=True, overflow="ellipsis")


def _print(renderable: RenderableType, *, at_least: int = 0) -> None:
    from rich.console import Console

    console = Console(highlight=False)
    if console.is_terminal:
        console.width = max(console.width, at_least)
        console.print(renderable, crop=False)
        return
    console.width = UNBOUNDED_COLUMNS
    with console.capture() as captured:
        console.print(renderable)
    # Rich fills every line up to the table's width.
    typer.echo("\n".join(line.rstrip() for line in captured.get().splitlines()))


def _speaks_unicode() -> bool:
    return (sys.stdout.encoding or "").lower().replace("-", "").startswith("utf")


def _plain(value: object) -> object:
    from pgboss.core.wire import Unreadable

    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    if isinstance(value, Unreadable):
        return {"unreadable": value.reason}
    if is_dataclass(value):
        return members(value)
    return str(value)
