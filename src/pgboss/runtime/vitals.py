"""The vitals of this process: what it uses, what it may use, and how promptly its event loop answers."""

from __future__ import annotations

import asyncio
import os
import time
from collections import deque
from contextlib import suppress
from pathlib import Path
from typing import Any

from pgboss.runtime.cgroup import find_control_group

__all__ = ["LoopDelay", "Vitals", "process_age_seconds"]

SAMPLE_SECONDS = 0.1
MOST_SAMPLES = 36_000

_IMPORTED_AT = time.monotonic()


def process_age_seconds() -> float:
    """How long ago this process began; where the system does not say, how long ago it loaded this module."""
    with suppress(OSError, ValueError, IndexError):
        uptime = float(Path("/proc/uptime").read_text().split()[0])
        # The name before it, in parentheses, may hold anything.
        began = int(Path("/proc/self/stat").read_text().rpartition(")")[2].split()[19]) / os.sysconf("SC_CLK_TCK")
        return max(0.0, uptime - began)
    return time.monotonic() - _IMPORTED_AT


class LoopDelay:
    """How late the event loop is, sampled ten times a second: by as much a handler or a callback has blocked it."""

    def __init__(self) -> None:
        self._delays: deque[float] = deque(maxlen=MOST_SAMPLES)

    async def run(self) -> None:
        """Sample until cancelled."""
        while True:
            began = time.monotonic()
            await asyncio.sleep(SAMPLE_SECONDS)
            self._delays.append(max(0.0, time.monotonic() - began - SAMPLE_SECONDS))

    def take(self) -> tuple[float, float] | None:
        """The 99th percentile and the longest of the delays since the last time, in seconds."""
        delays = sorted(self._delays)
        self._delays.clear()
        return (delays[(len(delays) - 1) * 99 // 100], delays[-1]) if delays else None


class Vitals:
    """Takes the vitals, with pg-boss's names; what cannot be known is ``None``. Rates are of the time since the last.

    To be used in the thread of the event loop: how busy the loop is, is the processor time of its thread.
    """

    def __init__(self, loop_delay: LoopDelay, root: Path = Path("/")) -> None:
        """``root`` is another one for tests."""
        self._loop_delay = loop_delay
        self._root = root
        self._group = find_control_group(root)
        self._last: tuple[float, float, float] | None = None
        self._throttling: tuple[int, int] | None = None

    def take(self) -> dict[str, Any]:
        """What the process is at now."""
        is_first = self._last is None
        cpu, busy = self._rates()
        delays = self._loop_delay.take()
        group = self._group
        quota = group.cpu_limit() if group else None
        limit = group.memory_limit() if group else None
        processors = float(_processors())
        return {
            "cgroup": group.version if group else None,
            "cpu": _rounded(cpu, 3),
            "cpuLimit": round(min(processors, quota.value) if quota else processors, 3),
            "cpuThrottled": _rounded(self._throttled(quota.folder), 3) if quota else None,
            "rss": _resident_bytes(self._root),
            # Python has no heap of its own with a limit.
            "heapUsed": None,
            "heapLimit": None,
            "memoryUsed": group.memory_used(limit.folder) if group and limit else None,
            "memoryLimit": int(limit.value) if limit else _machine_bytes(),
            "loopDelay": None if is_first or delays is None else round(delays[0] * 1000, 1),
            "loopDelayMax": None if is_first or delays is None else round(delays[1] * 1000, 1),
            "loopUtilization": _rounded(busy, 3),
        }

    def _rates(self) -> tuple[float | None, float | None]:
        now, last = (time.monotonic(), time.process_time(), time.thread_time()), self._last
        self._last = now
        if last is None or now[0] <= last[0]:
            return None, None
        elapsed = now[0] - last[0]
        return (now[1] - last[1]) / elapsed, min(1.0, (now[2] - last[2]) / elapsed)

    def _throttled(self, folder: Path) -> float | None:
        """In which share of the periods we were held up."""
        last, self._throttling = self._throttling, self._group.throttling(folder) if self._group else None
        if last is None or self._throttling is None:
            return None
        periods, throttled = self._throttling[0] - last[0], self._throttling[1] - last[1]
        return throttled / periods if periods > 0 else 0.0


def _processors() -> int:
    with suppress(AttributeError, OSError):  # not on every system
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _resident_bytes(root: Path) -> int | None:
    with suppress(OSError, ValueError, IndexError):
        return int((root / "proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    return None


def _machine_bytes() -> int | None:
    with suppress(OSError, ValueError):
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return None


def _rounded(value: float | None, places: int) -> float | None:
    return None if value is None else round(value, places)
