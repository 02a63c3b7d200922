"""The whole vocabulary between logic and drivers: statements out, rows in.

Logic is written as *operations*: generators that yield a :class:`Query`, a :class:`Script` or a :class:`Copy`, receive
:class:`Rows` and return a value. An operation does no I/O, so the same one runs on an async pool, on a sync
connection or inside the caller's transaction, and is tested with plain lists. The runners live in ``drivers/``.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import wraps
from typing import Any, Generic, ParamSpec, TypeAlias, TypeVar
from uuid import UUID

from pgboss.core.names import quote_identifier
from pgboss.errors import DatabaseError

__all__ = [
    "Atomic",
    "Copy",
    "Operation",
    "Parameter",
    "Query",
    "Rows",
    "Script",
    "Statement",
    "Step",
    "Steps",
    "atomic",
    "relayed",
]

T = TypeVar("T")
P = ParamSpec("P")

Scalar: TypeAlias = str | int | float | bool | UUID | datetime | None
Parameter: TypeAlias = Scalar | Sequence[Scalar]


@dataclass(frozen=True, slots=True)
class Query:
    """One statement with ``$1``-style placeholders, each of them cast in the text.

    ``guarded`` marks a statement whose database error the operation means to catch: inside a transaction the
    runner puts it in a savepoint, because a failed statement would otherwise doom the whole transaction.

    ``is_repeated`` marks one whose planning is worth sparing when it comes again: a connection of our own may keep it
    prepared.
    """

    sql: str
    parameters: tuple[Parameter, ...] = ()
    guarded: bool = False
    is_repeated: bool = False


@dataclass(frozen=True, slots=True)
class Script:
    """Several statements without parameters, separated by semicolons; never run in a caller's transaction."""

    sql: str


@dataclass(frozen=True, slots=True)
class Copy:
    """Rows for a table, by COPY in its binary format; the answer says how many, as ``affected``.

    It fails like any statement, and with SQLSTATE 0A000 on a connection that cannot copy.

    Attributes:
        schema: the schema's name, as the catalog holds it.
        table: the table's name, as the catalog holds it.
        columns: what the fields of a row are.
        blocks: what :mod:`pgboss.core.copy_rows` makes, in pieces of any size; read once, while the server takes them.
        guarded: as with :class:`Query`.
    """

    schema: str
    table: str
    columns: tuple[str, ...]
    blocks: Iterable[bytes]
    guarded: bool = False

    @property
    def sql(self) -> str:
        """The command."""
        table = f"{quote_identifier(self.schema)}.{quote_identifier(self.table)}"
        return f"COPY {table} ({', '.join(self.columns)}) FROM STDIN (FORMAT binary)"


@dataclass(frozen=True, slots=True)
class Rows:
    """What a statement returned: column names, value tuples, and the count of rows it touched."""

    columns: tuple[str, ...] = ()
    values: Sequence[tuple[Any, ...]] = ()
    affected: int = 0

    def __len__(self) -> int:
        return len(self.values)

    def __iter__(self) -> Iterator[dict[str, Any]]:
        for row in self.values:
            yield dict(zip(self.columns, row, strict=True))

    def first(self) -> dict[str, Any] | None:
        """The first row by column name, or ``None`` when there is none."""
        return next(iter(self), None)

    def column(self) -> list[Any]:
        """The values of the first column."""
        return [row[0] for row in self.values]

    def scalar(self) -> Any:
        """The first value of the first row, or ``None`` when there is none."""
        return self.values[0][0] if self.values else None


Statement: TypeAlias = Query | Script | Copy
Step: TypeAlias = "Query | Script | Copy | Atomic[Rows]"
Steps: TypeAlias = Generator[Step, Rows, T]


@dataclass(frozen=True, slots=True)
class Atomic(Generic[T]):
    """An operation whose statements must commit together; the runner opens the transaction.

    Another operation may ``yield from`` it, and is then responsible for being atomic itself. One that is a series of
    transactions yields each of them whole, and receives the rows that it returns.
    """

    steps: Steps[T]

    def __iter__(self) -> Steps[T]:
        return self.steps


Operation: TypeAlias = Steps[T] | Atomic[T]


def _as_it_is(step: Step) -> Steps[Rows]:
    return (yield step)


def relayed(steps: Steps[T], relay: Callable[[Step], Steps[Rows]] = _as_it_is, *, step: Step | None = None) -> Steps[T]:
    """An operation each of whose steps goes through ``relay``; ``step`` is one that it has taken already."""
    try:
        if step is None:
            step = next(steps)
        while True:
            try:
                rows = yield from relay(step)
            except DatabaseError as error:
                step = steps.throw(error)
            else:
                step = steps.send(rows)
    except StopIteration as stop:
        value: T = stop.value
        return value
    finally:
        steps.close()


def atomic(function: Callable[P, Steps[T]]) -> Callable[P, Atomic[T]]:
    """Make a generator function return an :class:`Atomic` operation."""

    @wraps(function)
    def build(*args: P.args, **kwargs: P.kwargs) -> Atomic[T]:
        return Atomic(function(*args, **kwargs))

    return build
