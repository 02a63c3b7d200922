"""Identifiers and keys derived from the schema's and the queues' names.

Everything Node derives too (channel, advisory keys, partition names) must come out bit for bit the same, or the
two sides would neither hear nor lock each other: docs/compatibility.md, "Names, locks, channels".
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from functools import cached_property
from hashlib import sha224
from typing import Self

from pgboss.errors import ConfigurationError, ValidationError

__all__ = [
    "CLOCK_SETTING",
    "CLOCK_TABLE",
    "INTERNAL_PREFIX",
    "SEND_IT_QUEUE",
    "Lock",
    "SchemaName",
    "check_queue_name",
    "column_of",
    "partition_table",
    "quote_identifier",
    "quote_literal",
]

INTERNAL_PREFIX = "__pgboss__"
"""What the names of pg-boss's own queues begin with."""
SEND_IT_QUEUE = f"{INTERNAL_PREFIX}send-it"
"""Node's internal queue for the delivery of schedules."""

CLOCK_SETTING = "pgboss.test_clock"
"""The setting of sessions that read a test clock; a ``job_now`` that names it was replaced by one."""

CLOCK_TABLE = "__pgboss_test_clock"
"""Where a test clock keeps its time; one that outlived its test run is nobody's."""

MAX_SCHEMA_BYTES = 50

_BARE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)
_NEEDS_NO_QUOTES = re.compile(r"[a-z_][a-z0-9_]*", re.ASCII)
_UNSAFE_IN_QUOTES = re.compile(r"[\"'%$.\\\x00-\x1f\x7f\ud800-\udfff]")
_QUEUE_NAME = re.compile(r"[A-Za-z0-9_.\-/]+", re.ASCII)


_COLUMN_OF = {
    "expire_in_seconds": "expire_seconds",
    "delete_after_seconds": "deletion_seconds",
    "warning_queue_size": "warning_queued",
}


def column_of(option: str) -> str:
    """The column that holds an option of a job or a queue; most are called alike."""
    return _COLUMN_OF.get(option, option)


class Lock:
    """Suffixes of the advisory lock keys; Node takes the same ones for the same work."""

    INSTALL = ""
    CREATE_QUEUE = "create-queue"
    DELETE_QUEUE = "delete-queue"
    QUEUE_STATS = "queue-stats"
    BAM_CLAIM = "bamClaim"
    QUEUE_STATS_INSERT = "queue-stats-insert"

    @staticmethod
    def expire(table: str) -> str:
        return f"{table}failJobsByTimeout"

    @staticmethod
    def heartbeat(table: str) -> str:
        return f"{table}failJobsByHeartbeat"

    @staticmethod
    def deletion(table: str) -> str:
        return f"{table}deletion"

    @staticmethod
    def dependencies(table: str) -> str:
        return f"{table}cleanupDependencies"


def quote_identifier(name: str) -> str:
    """Quote a name for use as an SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def quote_literal(text: str) -> str:
    """Quote a text for use in DDL, which takes no parameters. DML binds its values instead."""
    escaped = text.replace("'", "''")
    return f" E'{escaped.replace(chr(92), chr(92) * 2)}'" if "\\" in text else f"'{escaped}'"


@dataclass(frozen=True)
class SchemaName:
    """A configured schema name, as written by the user: bare, or with its double quotes.

    A bare name is folded to lower case by PostgreSQL; the quoted form keeps its case.

    Raises:
        ConfigurationError: the name is empty, too long (50 bytes) or holds characters that are not allowed.
    """

    configured: str = "pgboss"
    version: int | None = field(default=None, compare=False)
    """The version that is installed, once somebody has looked."""
    lacking: frozenset[str] = field(default=frozenset(), compare=False, repr=False)
    """What an older version lacks, of all that statements name: ``table``, ``table.column``, ``function()``."""
    passed_seconds: float = field(default=0.0, compare=False, repr=False)
    """For how long the transaction has been open in which statements run."""

    def __post_init__(self) -> None:
        name = self.configured
        quoted = len(name) >= 2 and name.startswith('"') and name.endswith('"')
        content = name[1:-1] if quoted else name
        if not content:
            raise ConfigurationError("The schema name is empty. Set PGBOSS_SCHEMA, for example to pgboss.")
        # A byte of the environment that is no UTF-8 arrives as a lone surrogate; it must get as far as a clear error.
        size = len(content.encode("utf-8", "surrogatepass"))
        if size > MAX_SCHEMA_BYTES:
            raise ConfigurationError(
                f"The schema name {name!r} is {size} bytes long; at most {MAX_SCHEMA_BYTES} are allowed."
            )
        if quoted and _UNSAFE_IN_QUOTES.search(content):
            raise ConfigurationError(
                f"The quoted schema name {name!r} must not hold any of \" ' % $ . \\, control or surrogate characters."
            )
        if not quoted and not _BARE.fullmatch(content):
            raise ConfigurationError(
                f"The schema name {name!r} may hold only letters, digits and underscores "
                "and must not start with a digit. "
                'To use other characters, put it in double quotes: "My-Schema".'
            )

    @property
    def _quoted(self) -> bool:
        return self.configured.startswith('"')

    @cached_property
    def catalog_name(self) -> str:
        """The name as PostgreSQL's catalog holds it."""
        return self.configured[1:-1] if self._quoted else self.configured.lower()

    @cached_property
    def sql(self) -> str:
        """The name as a quoted SQL identifier."""
        return quote_identifier(self.catalog_name)

    @cached_property
    def normalised(self) -> str:
        """What both sides hash: quotes go only when they change nothing, and a bare name is not folded."""
        if self._quoted and _NEEDS_NO_QUOTES.fullmatch(self.configured[1:-1]):
            return self.configured[1:-1]
        return self.configured

    @cached_property
    def channel(self) -> str:
        """The NOTIFY channel of this schema; the payload is the queue's name."""
        return f"pgboss_{_digest(self.normalised)[:24]}"

    @cached_property
    def now(self) -> str:
        """The SQL for the current time; a test clock may stand behind it, so never write ``now()``."""
        return self.now_after(f"{self.passed_seconds:.6f}") if self.passed_seconds else self._clock

    @property
    def _clock(self) -> str:
        return f"{self.sql}.job_now()" if self.has("job_now()") else "pg_catalog.now()"

    def now_after(self, seconds: str) -> str:
        """The SQL for the current time so many seconds after the beginning of the transaction; they are SQL as well."""
        now = self._clock
        passed = f"{now} + {seconds} * interval '1 second'"
        return f"(CASE WHEN {now} = pg_catalog.now() THEN {passed} ELSE {now} END)"

    def at(self, version: int, lacking: frozenset[str]) -> Self:
        """The same schema, as the version that is installed there has it; see :mod:`pgboss.schema.history`."""
        return replace(self, version=version, lacking=lacking)

    def after(self, seconds: float) -> Self:
        """The same schema, for statements so long after the beginning of their transaction, whose time stands still.

        A test clock goes on within one, and needs no help.
        """
        return replace(self, passed_seconds=max(seconds, 0.0))

    def has(self, part: str) -> bool:
        """Whether the installed version has a ``table``, ``table.column`` or ``function()``."""
        return part not in self.lacking

    def if_has(self, part: str, text: str, otherwise: str = "") -> str:
        """A piece of a statement that only some versions understand."""
        return text if self.has(part) else otherwise

    def table(self, name: str) -> str:
        """A table (or type, or function) of this schema as a qualified SQL identifier."""
        return f"{self.sql}.{quote_identifier(name)}"

    def lock_key(self, database: str, suffix: str) -> int:
        """The advisory lock key for a duty; ``database`` is ``current_database()``."""
        text = f"{database}.pgboss.{self.normalised}{suffix}"
        return int.from_bytes(sha224(text.encode()).digest()[:8], "big", signed=True)


def partition_table(queue: str) -> str:
    """The name of the job table of a queue with a partition of its own."""
    return f"j{_digest(queue)}"


def check_queue_name(name: object, *, what: str = "queue name") -> str:
    """Return the name if Node would take it too.

    Raises:
        ValidationError: it is not a string, is empty, or holds other characters than letters, digits and ``_ . - /``.
    """
    if not isinstance(name, str):
        raise ValidationError(f"The {what} must be a string, not {type(name).__name__}: {name!r}.")
    if not name:
        raise ValidationError(f"The {what} is empty. Give a name such as 'document-parse'.")
    if not _QUEUE_NAME.fullmatch(name):
        raise ValidationError(
            f"The {what} {name!r} may hold only letters, digits, underscores, hyphens, periods and forward slashes."
        )
    return name


def _digest(text: str) -> str:
    return sha224(text.encode()).hexdigest()
