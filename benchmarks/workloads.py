"""What is measured: W1 to W9, as docs/benchmarks.md explains them. A function measures those that share a set-up.

A row of results is a mapping: numbers with their unit in the name, and where it applies ``is_capped`` (time was up
before the work was done).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from benchmarks.stage import Drain, MiscountError, Mode, Stage

__all__ = ["GROUPS", "WORKLOADS", "Group", "Row", "Sizes"]

Row = dict[str, Any]

SEED_SECONDS = 30


@dataclass(frozen=True, slots=True)
class Sizes:
    """How much of everything."""

    jobs: int = 50_000
    singles: int = 2000
    default_jobs: int = 20_000
    seeds: int = 500
    pickups: int = 100
    pickups_a_second: float = 25
    # PostgreSQL plans a prepared statement anew the first five times, which a worker that has been up for a second does
    # not wait for any more.
    pickup_warm_ups: int = 30
    steady_seconds: float = 4
    steady_a_second: float = 500
    history: int = 300_000
    beside_jobs: int = 20_000
    held_seconds: float = 0
    processes: Sequence[int] = (1, 2, 4)
    shared_jobs: int = 60_000
    backlogs: Sequence[int] = (10_000, 100_000)
    long_backlogs: Sequence[int] = ()
    claims: int = 20_000
    threads: int = 8
    threaded: int = 2000
    cap_seconds: float = 3

    @classmethod
    def full(cls) -> Sizes:
        """The long forms of W6 and W8."""
        return cls(held_seconds=600, beside_jobs=100_000, long_backlogs=(1_000_000, 5_000_000), cap_seconds=8)

    @classmethod
    def tiny(cls) -> Sizes:
        """Just enough to see that everything works."""
        return cls(
            jobs=500,
            singles=50,
            default_jobs=200,
            seeds=20,
            pickups=10,
            pickup_warm_ups=5,
            steady_seconds=0.5,
            steady_a_second=100,
            history=1000,
            beside_jobs=300,
            processes=(1, 2),
            shared_jobs=1000,
            backlogs=(1000,),
            claims=200,
            threads=2,
            threaded=50,
            cap_seconds=2,
        )


def bulk_and_drain(stage: Stage, sizes: Sizes, wanted: Collection[str]) -> Iterator[Row]:
    """W1: create many jobs. W3: work them off."""
    count = min(sizes.jobs, stage.system.jobs)
    stage.fresh("tuned")
    stage.store.tidy()
    seconds = stage.enqueue(count)
    if "W1" in wanted:
        yield {"workload": "W1", "jobs_per_second": count / seconds, "jobs": count}
    if "W3" in wanted:
        stage.store.tidy()
        yield {"workload": "W3", **_drained(stage.drain(count, cap=sizes.cap_seconds))}


def single(stage: Stage, sizes: Sizes, wanted: Collection[str]) -> Iterator[Row]:
    """W2: create jobs one after the other, on one connection."""
    stage.fresh("tuned")
    stage.store.tidy()
    with stage.client(1) as child:
        each = child.ask("send", seconds=120, count=sizes.singles)["milliseconds"]
    yield {"workload": "W2", **_percentiles(each)}


def latency(stage: Stage, sizes: Sizes, wanted: Collection[str]) -> Iterator[Row]:
    """W4: pickup when idle. W5: a steady flow. W5t: the same beside an open transaction."""
    rate, count = sizes.steady_a_second, int(sizes.steady_a_second * sizes.steady_seconds)
    is_seeded = False
    for workload in ("W4", "W5", "W5t"):
        if workload not in wanted or (workload == "W5t" and stage.system.store == "redis"):
            continue
        if not is_seeded:
            _seed(stage, sizes, "tuned")
        stage.store.tidy(vacuum=True)
        with stage.postgres.open_transaction() if workload == "W5t" else nullcontext():
            row = _idle_pickup(stage, sizes) if workload == "W4" else _picked_up(stage, rate=rate, count=count)
        # What a system that cannot keep up leaves behind would burden the next.
        is_seeded = row["handled"] == row["jobs"]
        yield {"workload": workload, **row}


def default_drain(stage: Stage, sizes: Sizes, wanted: Collection[str]) -> Iterator[Row]:
    """W3d: W3 with every system's default settings."""
    count = min(sizes.default_jobs, stage.system.jobs)
    stage.fresh("default")
    stage.enqueue(count)
    stage.store.tidy()
    yield {"workload": "W3d", **_drained(stage.drain(count, cap=sizes.cap_seconds))}


def default_pickup(stage: Stage, sizes: Sizes, wanted: Collection[str]) -> Iterator[Row]:
    """W4d: W4 with every system's default settings."""
    _seed(stage, sizes, "default")
    stage.store.tidy(vacuum=True)
    yield {"workload": "W4d", **_idle_pickup(stage, sizes)}


def beside_a_transaction(stage: Stage, sizes: Sizes, wanted: Collection[str]) -> Iterator[Row]:
    """W6: drain beside an open transaction, and beside a history where the system keeps one."""
    count = min(sizes.beside_jobs, stage.system.jobs)

    def undisturbed() -> float:
        stage.fresh("tuned")
        stage.enqueue(count)
        stage.store.tidy()
        return stage.drain(count, cap=sizes.cap_seconds).rate

    rates = [undisturbed()]
    stage.fresh("tuned")
    table = stage.system.table
    keeps = table.keeps if table else None
    if table and keeps:
        stage.enqueue(1)
        stage.drain(1, cap=sizes.cap_seconds)
        stage.postgres.copy_jobs(table, keeps, range(1, sizes.history))
        stage.store.tidy(vacuum=True)
    row: Row = {"workload": "W6", "history": sizes.history if keeps else 0}
    with stage.postgres.open_transaction():
        if sizes.held_seconds:
            row |= _by_minute(stage, sizes)
        stage.enqueue(count)
        stage.store.tidy()
        disturbed = stage.drain(count, cap=sizes.cap_seconds)
    if sizes.held_seconds:
        # Within minutes machines change their speed by a third.
        rates.append(undisturbed())
    row |= _drained(disturbed)
    yield row | {"undisturbed_per_second": fmean(rates), "ratio": disturbed.rate / fmean(rates)}


def processes(stage: Stage, sizes: Sizes, wanted: Collection[str]) -> Iterator[Row]:
    """W7: drain with several worker processes."""
    count = min(sizes.shared_jobs, stage.system.jobs)
    for number in sizes.processes:
        stage.fresh("tuned")
        stage.fill(count)
        stage.store.tidy()
        drained = stage.drain(count, cap=sizes.cap_seconds, processes=number)
        yield {
            "workload": "W7",
            "processes": number,
            **_drained(drained),
            "jobs_per_second": drained.rate_together,
            "processes_at_work": sum(map(bool, drained.starts)),
        }


def backlog(stage: Stage, sizes: Sizes, wanted: Collection[str]) -> Iterator[Row]:
    """W8: how fast jobs are claimed while so many more are queued."""
    claims = min(sizes.claims, stage.system.jobs)
    longer = sizes.long_backlogs if stage.system.is_contender else ()
    for size in [*sizes.backlogs, *longer]:
        stage.fresh("tuned")
        stage.fill(size + claims)
        # With millions of new rows autovacuum would take one of the cores, some time or other.
        stage.store.tidy(vacuum=True)
        drained = stage.drain(size + claims, cap=sizes.cap_seconds, until=claims)
        yield {
            "workload": "W8",
            "backlog": size,
            **_drained(drained),
            "jobs_per_second": drained.rate_of_starts(claims),
            "jobs": drained.handled,
        }


def threads(stage: Stage, sizes: Sizes, wanted: Collection[str]) -> Iterator[Row]:
    """W9: create jobs one by one from several threads, through the client for threads."""
    stage.fresh("tuned")
    stage.store.tidy()
    with stage.child() as child:
        answer = child.ask("threads", seconds=120, threads=sizes.threads, count=sizes.threaded)
    # Those that warmed up are there, too.
    if stage.store.count(stage.system.queued) < sizes.threaded:
        raise MiscountError(f"{stage.system.name}: fewer jobs queued than {sizes.threaded}")
    rate = sizes.threaded / answer["seconds"]
    yield {"workload": "W9", "jobs_per_second": rate, "threads": sizes.threads, **_percentiles(answer["milliseconds"])}


@dataclass(frozen=True, slots=True)
class Group:
    """Workloads that are measured together.

    Attributes:
        workloads: their names.
        measure: measures those that are wanted.
        on_redis: whether systems on Redis take part.
        on_defaults: whether it is about default settings, which a reference has not.
        needs_sender: whether it needs a client for threads.
        is_repeated: whether contenders are measured again while there is time.
    """

    workloads: tuple[str, ...]
    measure: Callable[[Stage, Sizes, Collection[str]], Iterator[Row]]
    on_redis: bool = True
    on_defaults: bool = False
    needs_sender: bool = False
    is_repeated: bool = True


GROUPS = (
    Group(("W1", "W3"), bulk_and_drain),
    Group(("W2",), single),
    Group(("W4", "W5", "W5t"), latency),
    Group(("W3d",), default_drain, on_defaults=True),
    Group(("W4d",), default_pickup, on_defaults=True),
    Group(("W6",), beside_a_transaction, on_redis=False),
    Group(("W7",), processes),
    Group(("W8",), backlog, on_redis=False),
    Group(("W9",), threads, needs_sender=True),
)
WORKLOADS = tuple(name for group in GROUPS for name in group.workloads)


def _seed(stage: Stage, sizes: Sizes, mode: Mode) -> None:
    """Some finished jobs, as in a database that is in use: plans made on empty tables would be measured otherwise."""
    stage.fresh(mode)
    stage.enqueue(sizes.seeds)
    # By default some systems would take minutes for them.
    drained = stage.drain(sizes.seeds, cap=SEED_SECONDS, mode="tuned")
    if drained.is_capped:
        raise MiscountError(f"{stage.system.name}: {sizes.seeds} jobs took more than {SEED_SECONDS} s")


def _drained(drain: Drain) -> Row:
    thousands = max(drain.jobs, 1) / 1000
    return {
        "jobs_per_second": drain.rate,
        "jobs": drain.jobs,
        "seconds": drain.seconds,
        "is_capped": drain.is_capped,
        "repeated_calls": drain.calls - drain.handled,
        "client_cpu_seconds_per_1000": drain.usage.client_cpu_seconds / thousands,
        "server_cpu_seconds_per_1000": drain.usage.server_cpu_seconds / thousands,
        "peak_memory_mb": drain.memory_mb,
        "other_cores": drain.usage.other_cores,
    }


def _idle_pickup(stage: Stage, sizes: Sizes) -> Row:
    return _picked_up(stage, rate=sizes.pickups_a_second, count=sizes.pickups, warm_ups=sizes.pickup_warm_ups)


def _picked_up(stage: Stage, *, rate: float, count: int, **how: int) -> Row:
    times, usage, _ = stage.latencies(rate=rate, count=count, **how)
    called = [called for called, _, _ in times]
    thousands = len(times) / 1000
    return {
        **_percentiles([(started - returned) / 1e6 for _, returned, started in times]),
        **_percentiles([(started - called) / 1e6 for called, _, started in times], "from_call_"),
        "jobs": count,
        "handled": len(times),
        "sent_per_second": (len(times) - 1) * 1e9 / max(1, called[-1] - called[0]),
        "client_cpu_seconds_per_1000": usage.client_cpu_seconds / thousands,
        "server_cpu_seconds_per_1000": usage.server_cpu_seconds / thousands,
        "other_cores": usage.other_cores,
    }


def _by_minute(stage: Stage, sizes: Sizes) -> Row:
    """A steady flow for as long as the transaction is held, and how pickup changes by the minute."""
    rate = sizes.steady_a_second
    times, _, _ = stage.latencies(rate=rate, count=int(rate * sizes.held_seconds), patience=10)
    first = times[0][0]
    minutes: dict[int, list[float]] = {}
    for called, returned, started in times:
        minutes.setdefault(int((called - first) / 60e9), []).append((started - returned) / 1e6)
    by_minute = [_percentiles(minutes[minute]) for minute in sorted(minutes)]
    return {"held_seconds": sizes.held_seconds, "by_minute": by_minute}


def _percentiles(milliseconds: Sequence[float], prefix: str = "") -> Mapping[str, float]:
    # Of one value, too: some systems manage no more by default.
    ordered = sorted(milliseconds)
    half, most = (ordered[int(len(ordered) * part)] for part in (0.5, 0.99))
    return {f"{prefix}p50_ms": half, f"{prefix}p99_ms": most}
