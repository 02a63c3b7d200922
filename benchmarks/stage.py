"""One system on its store: an empty database, children to act in it, and measurements whose counts are checked."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import monotonic, monotonic_ns, sleep
from typing import Any, Literal

from benchmarks.meters import Meter, Usage, peak_memory_mb
from benchmarks.processes import ChildError, ChildProcess, times_of
from benchmarks.servers import Postgres, Store
from benchmarks.systems import Settings, System

__all__ = ["Drain", "MiscountError", "Mode", "Stage"]

Mode = Literal["tuned", "default"]

FIRST_JOB_SECONDS = 15
LEFT_OVER_SECONDS = 20
POLL_SECONDS = 0.005
SETTLING_SECONDS = 0.5
LEAST_WARM_UPS, WARM_UP_SECONDS, WARM_UP_PAUSE_SECONDS = 2, 3.0, 0.04
REPORT_SECONDS = 60


class MiscountError(Exception):
    """A count in the store, or of handler calls, is not what it has to be."""


@dataclass(frozen=True, slots=True)
class Drain:
    """How a queue was worked off.

    Attributes:
        jobs: completed, as the store says.
        ended: when the store had none left, or time was up, in nanoseconds.
        is_capped: whether time was up.
        calls: of handlers.
        starts: for each worker, when it first started each of its jobs.
        usage: CPU.
        memory_mb: the peak of the working processes.
    """

    jobs: int
    ended: int
    is_capped: bool
    calls: int
    starts: list[dict[int, int]]
    usage: Usage
    memory_mb: float

    @property
    def handled(self) -> int:
        """Distinct jobs whose handler was called."""
        return len({number for worker in self.starts for number in worker})

    @property
    def seconds(self) -> float:
        """From the first handler's start to the end."""
        return (self.ended - min(self._in_order())) / 1e9

    @property
    def rate(self) -> float:
        """Jobs completed a second."""
        return self.jobs / self.seconds

    def rate_of_starts(self, most: int) -> float:
        """Handlers started a second, from the first to the last of so many: later ones run beside our own counting."""
        started = self._in_order()[:most]
        return (len(started) - 1) * 1e9 / max(1, started[-1] - started[0])

    @property
    def rate_together(self) -> float:
        """Handlers started a second once every worker was at work, until the end."""
        began = max(min(worker.values()) for worker in self.starts if worker)
        return sum(at >= began for at in self._in_order()) * 1e9 / max(1, self.ended - began)

    def _in_order(self) -> list[int]:
        return sorted(at for worker in self.starts for at in worker.values())


class Stage:
    """One system, in one mode at a time.

    Attributes:
        system: which.
        store: its server.
    """

    def __init__(self, system: System, store: Store, log: Path, changes: Settings) -> None:
        """``changes`` are settings that the command line puts over the registry's."""
        self.system = system
        self.store = store
        self._log = log
        self._changes = changes
        self._mode: Mode = "tuned"

    @property
    def postgres(self) -> Postgres:
        assert isinstance(self.store, Postgres)
        return self.store

    def fresh(self, mode: Mode) -> None:
        """Begin with an empty store, in which the system is installed."""
        self._mode = mode

        def install() -> None:
            with self.child() as child:
                child.ask("install")

        self.store.fresh(f"{self.system.name}_{mode}", install)

    def settings(self, mode: Mode) -> Settings:
        chosen = self.system.default if mode == "default" else self.system.tuned
        return _merged(chosen or {}, self._changes)

    def child(self, mode: Mode | None = None) -> ChildProcess:
        return ChildProcess(self.system, self.store.place, self.settings(mode or self._mode), self._log)

    @contextmanager
    def client(self, connections: int) -> Iterator[ChildProcess]:
        """A child that is ready to send."""
        with self.child() as child:
            child.ask("open", connections=connections)
            yield child

    def enqueue(self, count: int, *, first: int = 0) -> float:
        """Create jobs in bulk, check that they are there, and return the seconds that it took."""
        before = self.store.count(self.system.queued)
        with self.client(self.system.connections) as child:
            seconds = float(child.ask("enqueue", seconds=300, first=first, count=count)["seconds"])
        self._check("jobs queued", self.store.count(self.system.queued) - before, count)
        return seconds

    def fill(self, count: int, *, first: int = 0) -> None:
        """Have so many jobs queued, in whichever way is quick."""
        table = self.system.table
        if table is None or count < 1000:
            self.enqueue(count, first=first)
            return
        self.enqueue(1, first=first)
        self.postgres.copy_jobs(table, "true", range(first + 1, first + count))
        self._check("jobs queued", self.store.count(self.system.queued), count)

    def drain(
        self, count: int, *, cap: float, processes: int = 1, until: int | None = None, mode: Mode | None = None
    ) -> Drain:
        """Let workers work off the queue, which holds ``count`` jobs numbered from 0.

        Args:
            count: how many jobs there are.
            cap: the most seconds, from the first handler's start.
            processes: of workers.
            until: stop when so many have been handled, instead of when none is left.
            mode: whose settings the worker has, where they are not those of the installation.

        Raises:
            MiscountError: none is left, and not each job was handled and completed once.
            ChildError: a worker ended or handled nothing.
        """
        completed = self._completed(count)
        with ExitStack() as stack:
            workers = [stack.enter_context(self.child(mode)) for _ in range(processes)]
            for worker in workers:
                worker.tell("work", numbers=count, expected=until or count)
            for worker in workers:
                worker.expect("ready", FIRST_JOB_SECONDS)
            pids = [worker.pid for worker in workers]
            meter = Meter(self.store.pid, pids)
            first = self._first(workers)
            finished, ended = self._await_end(workers, first + int(cap * 1e9), is_partial=until is not None)
            usage, memory = meter.read(), peak_memory_mb(pids)
            # To count millions takes the server a while.
            jobs = self._completed(count) - completed
            starts, calls = self._stop(workers)
        drain = Drain(jobs, ended, not finished, calls, starts, usage, memory)
        if finished and until is None:
            self._check("jobs completed", jobs, count)
            self._check("jobs handled", drain.handled, count)
        return drain

    def _first(self, workers: list[ChildProcess]) -> int:
        """When a handler was first started, by whichever worker; the others may come too late for any job."""
        end = monotonic() + FIRST_JOB_SECONDS
        while monotonic() < end:
            for worker in workers:
                if found := worker.wait("first", FIRST_JOB_SECONDS if len(workers) == 1 else POLL_SECONDS):
                    return int(found["at"])
        raise ChildError(f"{self.system.name}: no job was started within {FIRST_JOB_SECONDS} s")

    def _await_end(self, workers: list[ChildProcess], until: int, *, is_partial: bool) -> tuple[bool, int]:
        """Whether the workers came to an end by then (all jobs handled and settled, or those asked for), and when."""
        if len(workers) == 1:
            if workers[0].wait("done", max(0.0, (until - monotonic_ns()) / 1e9)) is None:
                return False, monotonic_ns()
            if is_partial:
                return True, monotonic_ns()
            until = monotonic_ns() + LEFT_OVER_SECONDS * 10**9
        pause = POLL_SECONDS if len(workers) == 1 else 4 * POLL_SECONDS
        while True:
            # What the store says was so when it was asked. Beside many dead rows it takes a tenth of a second to say.
            asked = monotonic_ns()
            if not self.store.count(self.system.unfinished):
                return True, asked
            if monotonic_ns() > until:
                return self._is_over_time(workers), monotonic_ns()
            sleep(pause)

    def _is_over_time(self, workers: list[ChildProcess]) -> bool:
        if len(workers) == 1:
            left = self.store.count(self.system.queued)
            raise MiscountError(f"{self.system.name}: all jobs were handled, and {left} are not completed")
        return False

    def _stop(self, workers: list[ChildProcess]) -> tuple[list[dict[int, int]], int]:
        """When each worker first started each of its jobs, and the number of all calls."""
        for worker in workers:
            worker.tell("stop")
        reports = [worker.expect("stopped", REPORT_SECONDS) for worker in workers]
        starts = [{number: at for number, at in enumerate(times_of(one, "started")) if at} for one in reports]
        return starts, sum(int(one["calls"]) for one in reports)

    def latencies(
        self, *, rate: float, count: int, warm_ups: int = LEAST_WARM_UPS, patience: float = 2.0
    ) -> tuple[list[tuple[int, int, int]], Usage, bool]:
        """Let one worker handle what another process sends at a steady rate.

        Returns:
            when each handled job's send was called, had returned, and its handler started; the usage; and whether all
            were handled within ``patience`` seconds after the last send. At most ``warm_ups`` others come before them.
        """
        before = self._completed(0)
        with self.child() as worker, self.client(10) as sender:
            worker.tell("work", numbers=count, expected=count)
            worker.expect("ready", FIRST_JOB_SECONDS)
            others = self._warm_up(sender, worker, warm_ups)
            sleep(SETTLING_SECONDS)
            meter = Meter(self.store.pid, [worker.pid])
            sent = sender.ask("pace", seconds=count / rate * 4 + 30, rate=rate, count=count)
            all_handled = worker.wait("done", patience) is not None
            usage = meter.read()
            if all_handled and self.system.completed is not None:
                self._await_completed(before + others + count)
            worker.tell("stop")
            started = times_of(worker.expect("stopped", REPORT_SECONDS), "started")
        called, returned = times_of(sent, "called"), times_of(sent, "returned")
        if not any(started):
            raise MiscountError(f"{self.system.name}: not one of {count} jobs was handled")
        return _triples(called, returned, started), usage, all_handled

    def _warm_up(self, sender: ChildProcess, worker: ChildProcess, most: int) -> int:
        """Have so many jobs sent and handled one by one, or fewer where that takes long; returns how many.

        Some systems are far from ready when they say so, and a connection that listens may come last of all.
        """
        enough_at = monotonic() + WARM_UP_SECONDS
        for number in range(most):
            if number >= LEAST_WARM_UPS and monotonic() > enough_at:
                return number
            sender.ask("warm")
            worker.expect("warm", FIRST_JOB_SECONDS)
            # Until it waits for jobs again.
            sleep(WARM_UP_PAUSE_SECONDS)
        return most

    def _await_completed(self, wanted: int) -> None:
        end = monotonic() + LEFT_OVER_SECONDS
        while (found := self._completed(0)) < wanted:
            if monotonic() > end:
                raise MiscountError(f"{self.system.name}: {found} jobs completed, not the {wanted} that were handled")
            sleep(0.05)

    def _completed(self, all_jobs: int) -> int:
        """How many jobs are completed, where those leave no trace: of so many."""
        if self.system.completed is None:
            return all_jobs - self.store.count(self.system.queued)
        return self.store.count(self.system.completed)

    def _check(self, what: str, found: int, wanted: int) -> None:
        if found != wanted:
            raise MiscountError(f"{self.system.name}: {found} {what} instead of {wanted}")


def _triples(called: Sequence[int], returned: Sequence[int], started: Sequence[int]) -> list[tuple[int, int, int]]:
    return [triple for triple in zip(called, returned, started, strict=True) if triple[2]]


def _merged(settings: Settings, changes: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(settings)
    for name, value in changes.items():
        inner = merged.get(name)
        merged[name] = _merged(inner, value) if isinstance(inner, Mapping) and isinstance(value, Mapping) else value
    return merged
