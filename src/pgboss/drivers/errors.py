"""What drivers raise, in our words."""

from __future__ import annotations

from pgboss.core.sqlstate import FEATURE_NOT_SUPPORTED
from pgboss.errors import DatabaseError, DatabaseUnavailableError, StoppedError

__all__ = [
    "NoAnswerError",
    "cannot_copy",
    "database_error",
    "not_started",
    "pool_closed",
    "pool_exhausted",
    "unanswered",
]

# Connection exceptions, the server shutting down or starting up, and refused logins.
_UNAVAILABLE = ("08", "57P", "28", "53300")


class NoAnswerError(DatabaseUnavailableError):
    """The server did not answer in time; the statement may have been carried out, or not."""


def database_error(
    text: str, *, sqlstate: str | None = None, constraint: str | None = None, lost: bool = False, where: str = ""
) -> DatabaseError:
    """The exception for a driver's; ``lost`` says that the connection is, ``where`` which place was to be reached."""
    if lost or (sqlstate or "").startswith(_UNAVAILABLE):
        reached = f"PostgreSQL ({where})" if where else "PostgreSQL"
        return DatabaseUnavailableError(f"{reached} cannot be reached: {text}", sqlstate=sqlstate)
    return DatabaseError(text, sqlstate=sqlstate, constraint=constraint)


def cannot_copy(reason: str) -> DatabaseError:
    return DatabaseError(f"COPY is not possible: {reason}.", sqlstate=FEATURE_NOT_SUPPORTED)


def pool_exhausted(where: str, reason: str, *, advice: str) -> DatabaseUnavailableError:
    return DatabaseUnavailableError(
        f"No connection to PostgreSQL ({where}) was to be had in time: {reason}. "
        f"Check that the server answers; if it does, {advice}."
    )


def unanswered(where: str, seconds: float) -> NoAnswerError:
    return NoAnswerError(f"PostgreSQL ({where}) did not answer within {seconds:g} s.")


def not_started() -> StoppedError:
    return StoppedError("Not started, or stopped already: call start() first, or use `with`.")


def pool_closed(reason: str) -> StoppedError:
    return StoppedError(f"The pool that was given as pool= is not open: {reason}.")
