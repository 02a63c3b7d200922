"""What the workers of this process do, counted as it happens."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from threading import Lock

from prometheus_client import Histogram
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from pgboss import PgBoss
from pgboss.core.creation import NewlyCreated
from pgboss.core.events import ErrorEvent
from pgboss.core.job import Job, JobState
from pgboss.errors import LeaseLostError
from pgboss.runtime.watch import Listener

__all__ = ["WorkerCollector"]

BUCKETS_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900)
SETTLED = {"completed": "completed", "failed": "failed", "retry": "retried", "created": "given_back"}


class WorkerCollector(Collector, Listener):
    """Tells Prometheus of one instance. Make it before the instance starts, so that nothing is missed."""

    def __init__(self, boss: PgBoss) -> None:
        self._boss = boss
        self._counting = Lock()
        self._created: Counter[str] = Counter()
        self._claimed: Counter[str] = Counter()
        self._settled: Counter[tuple[str, str]] = Counter()
        self._errors: Counter[str] = Counter()
        self._leases_lost = 0
        self._durations = Histogram(
            "pgboss_handler_duration_seconds",
            "How long calls of handlers took.",
            ["queue"],
            registry=None,
            buckets=BUCKETS_SECONDS,
        )
        boss._watch.add(self)  # noqa: SLF001  there is no public way in, and this room is built with that one
        boss.on("error", self._error)

    def created(self, jobs: Sequence[NewlyCreated]) -> None:
        with self._counting:
            self._created.update(job.name for job in jobs)

    def claimed(self, queue: str, jobs: Sequence[Job]) -> None:
        with self._counting:
            self._claimed[queue] += len(jobs)

    def handled(self, queue: str, jobs: Sequence[Job], seconds: float) -> None:
        self._durations.labels(queue).observe(seconds)

    def settled(self, job: Job, state: JobState, output: str | None) -> None:
        with self._counting:
            self._settled[job.name, SETTLED[state]] += 1

    def _error(self, event: ErrorEvent) -> None:
        with self._counting:
            self._errors[event.duty] += 1
            self._leases_lost += isinstance(event.error, LeaseLostError)

    def describe(self) -> list[Metric]:
        """What there is; nothing needs to be asked for it."""
        return list(self.collect())

    def collect(self) -> Iterator[Metric]:
        """What was counted until now."""
        with self._counting:
            yield _counter("pgboss_jobs_created", "Jobs that this process has created.", self._created)
            yield _counter("pgboss_jobs_claimed", "Jobs that workers of this process have claimed.", self._claimed)
            yield self._settled_family()
            yield _counter("pgboss_errors", "What failed in the background, by duty.", self._errors, "duty")
            lost = CounterMetricFamily("pgboss_leases_lost", "Jobs whose lease was lost.")
            lost.add_metric([], self._leases_lost)
            yield lost
        yield from self._durations.collect()
        yield from self._workers()

    def _settled_family(self) -> Metric:
        family = CounterMetricFamily(
            "pgboss_jobs_settled", "Attempts that workers of this process have ended.", labels=["queue", "outcome"]
        )
        for (queue, outcome), count in self._settled.items():
            family.add_metric([queue, outcome], count)
        return family

    def _workers(self) -> Iterator[Metric]:
        slots = GaugeMetricFamily("pgboss_worker_slots", "Calls of handlers that may run at once.", labels=["queue"])
        active = GaugeMetricFamily("pgboss_worker_jobs", "Jobs in the hands of its workers.", labels=["queue"])
        taken: Counter[str] = Counter()
        free: Counter[str] = Counter()
        for worker in self._boss.get_wip_data(include_internal=True):
            taken[worker.name] += worker.count
            free[worker.name] += worker.options["concurrency"]
        for queue in free:
            slots.add_metric([queue], free[queue])
            active.add_metric([queue], taken[queue])
        backlog = GaugeMetricFamily("pgboss_settler_backlog", "Attempts that have ended and are not written yet.")
        crew = self._boss._crew  # noqa: SLF001  likewise
        backlog.add_metric([], 0 if crew is None else crew.settler_backlog)
        yield from (slots, active, backlog)


def _counter(name: str, text: str, counts: Counter[str], label: str = "queue") -> Metric:
    family = CounterMetricFamily(name, text, labels=[label])
    for key, count in counts.items():
        family.add_metric([key], count)
    return family
