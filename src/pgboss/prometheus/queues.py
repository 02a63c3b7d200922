"""What the database says of all queues, read when Prometheus asks.

A few statements on a connection of its own, each given up after some seconds. The numbers of jobs are those that the
upkeep has counted last, so reading them costs a row a queue however many jobs there are; how old they are is told, too.
How long the oldest due job has been waiting is looked up there and then, by the index that claims go by.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from datetime import datetime
from threading import Lock
from typing import Any

from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from pgboss.core.names import SchemaName
from pgboss.core.query import Rows, Statement
from pgboss.core.queue import Queue
from pgboss.drivers.psycopg import LoneConnection, read_conninfo
from pgboss.drivers.runner import run
from pgboss.errors import PgBossError
from pgboss.insights import QueueMetrics, queue_metrics

__all__ = ["QueueCollector", "QueueFigures"]

STATES = ("deferred", "ready", "blocked", "active", "failed")
ANSWER_SECONDS = 5.0


class QueueCollector(Collector):
    """Tells Prometheus of all queues of a schema; one for a schema is enough, in whichever process."""

    def __init__(self, dsn: str, *, schema: str = "pgboss") -> None:
        """Nothing is connected before the first time that Prometheus asks.

        Raises:
            ConfigurationError: the connection string, or the schema's name, cannot be read.
        """
        self._schema = SchemaName(schema)
        self._connection = LoneConnection(read_conninfo(dsn))
        # Prometheus may ask in several threads, and a connection belongs to one at a time.
        self._asking = Lock()

    def describe(self) -> list[Metric]:
        """What there is, without asking the database."""
        return list(_families(QueueMetrics(), reached=False))

    def collect(self) -> Iterator[Metric]:
        """Ask the database; when it does not answer, only that is told."""
        with self._asking:
            try:
                found = run(_Impatient(self._connection), queue_metrics(self._schema))
            except PgBossError:
                return _families(QueueMetrics(), reached=False)
        return _families(found, reached=True)

    def close(self) -> None:
        """Close the connection."""
        with self._asking:
            self._connection.close()


class QueueFigures(Collector):
    """Tells Prometheus of queues that somebody else has read; ``None`` where the database did not answer."""

    def __init__(self, found: QueueMetrics | None) -> None:
        self._found = found

    def collect(self) -> Iterator[Metric]:
        return _families(self._found or QueueMetrics(), reached=self._found is not None)


class _Impatient:
    """A session whose statements must be answered soon."""

    def __init__(self, connection: LoneConnection) -> None:
        self._connection = connection

    def execute(self, statement: Statement) -> Rows:
        return self._connection.execute(statement, within_seconds=ANSWER_SECONDS)

    def atomic(self) -> AbstractContextManager[Any]:
        return nullcontext()


def _families(found: QueueMetrics, *, reached: bool) -> Iterator[Metric]:
    up = GaugeMetricFamily("pgboss_up", "Whether the database answered.")
    up.add_metric([], float(reached))
    yield up
    yield _jobs(found.queues)
    yield _counted(found.queues, found.read_on)
    yield _oldest(found.oldest_ready_seconds or {})


def _jobs(queues: Sequence[Queue]) -> Metric:
    jobs = GaugeMetricFamily(
        "pgboss_queue_jobs", "Jobs by state, as last counted by the upkeep.", labels=["queue", "state"]
    )
    for queue in queues:
        for state in STATES:
            jobs.add_metric([queue.name, state], getattr(queue, f"{state}_count"))
    return jobs


def _counted(queues: Sequence[Queue], read_on: datetime | None) -> Metric:
    age = GaugeMetricFamily(
        "pgboss_queue_counted_seconds", "How long ago the jobs of a queue were counted.", labels=["queue"]
    )
    for queue in queues:
        if queue.monitor_on is not None and read_on is not None:
            age.add_metric([queue.name], (read_on - queue.monitor_on).total_seconds())
    return age


def _oldest(seconds: Mapping[str, float]) -> Metric:
    oldest = GaugeMetricFamily(
        "pgboss_queue_oldest_ready_seconds",
        "How long the oldest job that is due has been waiting; 0 when none is.",
        labels=["queue"],
    )
    for name, waiting in seconds.items():
        oldest.add_metric([name], waiting)
    return oldest
