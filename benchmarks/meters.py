"""What a measurement costs: CPU of the system's processes and of the server, memory, and what others used meanwhile."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from time import monotonic

import psutil

__all__ = ["Meter", "Usage", "peak_memory_mb"]


@dataclass(frozen=True, slots=True)
class Usage:
    """What was used while a meter ran.

    Attributes:
        seconds: how long that was.
        client_cpu_seconds: by the system's own processes.
        server_cpu_seconds: by the server, whoever asked it.
        other_cores: by processes that have nothing to do with the benchmark, as a number of cores.
    """

    seconds: float
    client_cpu_seconds: float
    server_cpu_seconds: float
    other_cores: float


class Meter:
    """Runs from when it is made to :meth:`read`."""

    def __init__(self, server: int, clients: Iterable[int] = ()) -> None:
        self._server = server
        self._clients = list(clients)
        self._at_start = self._now()

    def read(self) -> Usage:
        began, client, server, own, all_of_it = self._at_start
        ended = self._now()
        seconds = max(ended[0] - began, 1e-6)
        others = (ended[4] - all_of_it) - (ended[3] - own)
        return Usage(seconds, ended[1] - client, ended[2] - server, max(0.0, others / seconds))

    def _now(self) -> tuple[float, float, float, float, float]:
        server, driver = _tree(self._server), _tree(os.getpid())
        clients = {process for pid in self._clients for process in _tree(pid)}
        return monotonic(), _cpu(clients), _cpu(server), _cpu(server | driver), _busy()


def peak_memory_mb(pids: Iterable[int]) -> float:
    """The most that was resident of these processes and their children, in MB; elsewhere than on Linux, what is now."""
    return sum(_peak(process) for pid in pids for process in _tree(pid)) / 1e6


def _tree(pid: int) -> set[psutil.Process]:
    try:
        process = psutil.Process(pid)
        return {process, *process.children(recursive=True)}
    except psutil.NoSuchProcess:
        return set()


def _cpu(processes: set[psutil.Process]) -> float:
    return sum(map(_cpu_of, processes))


def _cpu_of(process: psutil.Process) -> float:
    try:
        times = process.cpu_times()
    except psutil.NoSuchProcess:
        return 0.0
    # Those of children count once they have ended and been waited for: sessions of PostgreSQL, for example.
    return float(times.user + times.system + times.children_user + times.children_system)


def _busy() -> float:
    times = psutil.cpu_times()
    idle = times.idle + getattr(times, "iowait", 0.0)
    # Guests are counted among users.
    guests = getattr(times, "guest", 0.0) + getattr(times, "guest_nice", 0.0)
    return float(sum(times) - idle - guests)


def _peak(process: psutil.Process) -> float:
    try:
        for line in Path(f"/proc/{process.pid}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return float(line.split()[1]) * 1024
    except OSError:
        pass
    try:
        return float(process.memory_info().rss)
    except psutil.NoSuchProcess:
        return 0.0
