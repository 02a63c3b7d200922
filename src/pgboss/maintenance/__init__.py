"""The upkeep of the job tables, one duty a file.

A duty is an object whose ``run_once`` does one turn and returns the seconds until it wants the next (``None``: the
usual interval). All instances of a schema, Node's too, share the duties by claims and advisory locks in the database,
so a turn may well find nothing left to do. Cancelling a turn undoes the batch in progress and nothing else.
"""

from pgboss.maintenance.bam import BamRunner
from pgboss.maintenance.expiry import ExpirySweep
from pgboss.maintenance.flows import FLOW_INTERVAL_SECONDS, FlowResolver
from pgboss.maintenance.monitor import Monitor
from pgboss.maintenance.pruning import Pruning
from pgboss.maintenance.registration import Registration
from pgboss.maintenance.reindex import ReindexPass
from pgboss.maintenance.retention import RetentionPass
from pgboss.maintenance.slow_queries import SlowQueries
from pgboss.maintenance.supervision import Supervision
from pgboss.maintenance.vacuum import VacuumWatch
from pgboss.maintenance.warnings import Warnings

__all__ = [
    "FLOW_INTERVAL_SECONDS",
    "BamRunner",
    "ExpirySweep",
    "FlowResolver",
    "Monitor",
    "Pruning",
    "Registration",
    "ReindexPass",
    "RetentionPass",
    "SlowQueries",
    "Supervision",
    "VacuumWatch",
    "Warnings",
]
