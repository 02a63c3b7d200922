"""The upkeep of the job tables, one duty a file.

A duty is an object whose ``run_once`` does one turn and returns the seconds until it wants the next (``None``: the
usual interval). All instances of a schema, Node's too, share the duties by claims and advisory locks in the database,
so a turn may well find nothing left to do. Cancelling a turn undoes the batch in progress and nothing else.
"""

from pgboss.maintenance.expiry import ExpirySweep
from pgboss.maintenance.retention import RetentionPass

__all__ = ["ExpirySweep", "RetentionPass"]
