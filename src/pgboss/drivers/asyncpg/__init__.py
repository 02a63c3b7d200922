"""asyncpg: the caller's connection, or a pool of the caller's that drives a whole instance."""

from pgboss.drivers.asyncpg.pool import AsyncpgDatabase
from pgboss.drivers.asyncpg.sessions import AsyncpgSession

__all__ = ["AsyncpgDatabase", "AsyncpgSession"]
