"""Running the commands that migrations have put off, and telling how far they are.

A turn claims a command, performs it and writes how that ended. The steps are apart because the upkeep watches over the
middle one, which may take hours, and may have to leave it; :func:`run_next` is all of them, for whoever waits.
docs/compatibility.md, "Index builds in the background".
"""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from pgboss.core.bam import BamClaim, BamEntry, BamStatus, index_built_by, tagged
from pgboss.core.checks import check_integer
from pgboss.core.names import Lock, SchemaName
from pgboss.core.query import Rows, Script, Steps, atomic
from pgboss.errors import DatabaseError, DatabaseUnavailableError, ValidationError
from pgboss.sql import bam as sql
from pgboss.sql import indexes, locks, turns

__all__ = [
    "BamOutcome",
    "claim",
    "claim_turn",
    "complete",
    "fail",
    "get_entries",
    "get_status",
    "perform",
    "release",
    "run_next",
    "text_of",
]

MAX_ENTRIES = 100_000


@dataclass(frozen=True, slots=True)
class BamOutcome:
    """A command that was run, and what went wrong with it."""

    claim: BamClaim
    error: DatabaseError | None


def claim_turn(schema: SchemaName, interval_seconds: float) -> Steps[bool]:
    """Whether this turn of looking for commands is ours; Node's instances make the same claim."""
    return len((yield turns.take(schema, "bam_on", interval_seconds))) > 0


def claim(schema: SchemaName, *, pending_only: bool = False) -> Steps[BamClaim | None]:
    """Claim the next command, unless somebody is running one; with ``pending_only`` one that was never begun."""
    row = (yield _claim(schema, pending_only)).first()
    return BamClaim(**row) if row else None


@atomic
def _claim(schema: SchemaName, pending_only: bool) -> Steps[Rows]:
    yield locks.limit_waits()
    database: str = (yield locks.current_database()).scalar()
    yield locks.take(schema.lock_key(database, Lock.BAM_CLAIM))
    return (yield sql.claim(schema, pending_only))


def perform(schema: SchemaName, claim: BamClaim) -> Steps[None]:
    """Run a claimed command, on a connection that is in no transaction.

    One that was begun before may have built its index already, or left half of it, which goes first.

    Raises:
        DatabaseError: the command failed, or there is no usable index after it.
    """
    index = index_built_by(claim.command)
    if claim.is_reattempt and index is not None:
        is_valid: bool | None = (yield indexes.is_valid(schema, index)).scalar()
        if is_valid:
            return
        if is_valid is False:
            yield Script(tagged(claim.id, indexes.drop(schema, index)))
    yield Script(tagged(claim.id, claim.command))
    if index is not None:
        is_valid = (yield indexes.is_valid(schema, index)).scalar()
        if not is_valid:
            # Of the same name, an invalid one makes IF NOT EXISTS pass the build over.
            state = "missing" if is_valid is None else "still invalid"
            raise DatabaseError(f"The index {index} is {state} after its build.")


def complete(schema: SchemaName, claim: BamClaim) -> Steps[None]:
    """Write that a claimed command has done its work."""
    yield sql.complete(schema, claim.id, claim.started_on)


def fail(schema: SchemaName, claim: BamClaim, reason: str) -> Steps[None]:
    """Write why a claimed command has failed."""
    yield sql.fail(schema, claim.id, claim.started_on, reason)


def release(schema: SchemaName, claim: BamClaim) -> Steps[None]:
    """Hand back a claimed command that was not begun, as it was found."""
    yield sql.release(schema, claim.id, claim.started_on, claim.prior_status, claim.prior_started_on)


def text_of(error: DatabaseError) -> str:
    """What is written of an error: as Node does, what kind it is and its first line."""
    message = next(iter(str(error).splitlines()), "")
    return f"{'Error' if error.sqlstate is None else 'error'}: {message}"


def run_next(schema: SchemaName, *, pending_only: bool = False) -> Steps[BamOutcome | None]:
    """Claim the next command, run it to its end and write how it ended; ``None`` when there is none to run now.

    Call it again until it returns ``None``; with ``pending_only`` after the first, or what fails is tried for ever.

    Raises:
        DatabaseUnavailableError: the connection was lost. The command counts as in progress until its time of grace is
            over, for the server may still be at it.
    """
    claimed: BamClaim | None = yield from claim(schema, pending_only=pending_only)
    if claimed is None:
        return None
    try:
        yield from perform(schema, claimed)
    except DatabaseUnavailableError:
        raise
    except DatabaseError as error:
        yield from fail(schema, claimed, text_of(error))
        return BamOutcome(claimed, error)
    yield from complete(schema, claimed)
    return BamOutcome(claimed, None)


def get_status(schema: SchemaName) -> Steps[list[BamStatus]]:
    """How many commands there are of each status."""
    return [BamStatus(**row) for row in (yield sql.statuses(schema))]


def get_entries(schema: SchemaName, limit: int, after: UUID | None) -> Steps[list[BamEntry]]:
    """The commands by version and in the order in which they were put off.

    Raises:
        ValidationError: the limit is out of range, or ``after`` names a command that is gone.
    """
    check_integer("limit", limit, 1, MAX_ENTRIES)
    entries = [BamEntry(**row) for row in (yield sql.entries(schema, after, limit))]
    if after is not None and not entries and not (yield sql.exists(schema, after)):
        raise ValidationError(f"after ({after}) names a command that no longer exists.")
    return entries
