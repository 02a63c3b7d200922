"""Every call, async: methods of one line each over operations, and no loops.

``PgBoss`` is this client plus the loops; ``SyncPgBoss`` is generated from it by ``make sync``.
"""

from pgboss.client.client import Client

__all__ = ["Client"]
