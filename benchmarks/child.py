"""One system in a process of its own, told by lines of JSON on stdin what to do and answering with lines on stdout.

    python -m benchmarks.child '{"adapter": …, "place": {…}, "settings": {…}}'

``systems/node/child.mjs`` is its twin. The commands:

    {"do": "install"}
    {"do": "open", "connections": 10}
    {"do": "enqueue", "first": 0, "count": 50000}        answers with "seconds"
    {"do": "send", "count": 2000}                        "milliseconds" of each, one after the other
    {"do": "warm"}                                       one job that only warms up
    {"do": "pace", "rate": 500, "count": 10000}          "called" and "returned": when, for each
    {"do": "threads", "threads": 8, "count": 2000}       "seconds", and "milliseconds" of each
    {"do": "work", "numbers": 50000, "expected": 50000}  tells "ready", "first", "done", "warm"; works until "stop"
    {"do": "stop"}                                       "started": when, for each number; "calls"

Times are nanoseconds of CLOCK_MONOTONIC, which all processes of the machine share; lists of them travel as base64.
A job whose number is negative warms up: it is worked, and not recorded.
"""

from __future__ import annotations

import asyncio
import gc
import json
import os
import sys
import threading
import traceback
from array import array
from base64 import b64encode
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from time import monotonic_ns, perf_counter
from typing import Any

from benchmarks.systems.adapter import Adapter, Place

IN_FLIGHT = 16
"""The most sends that ``pace`` has under way: it must keep its rate where one send takes longer than a tick."""
WARM_UPS = 50

_saying = threading.Lock()


def say(**event: Any) -> None:
    line = json.dumps(event) + "\n"
    with _saying:
        sys.stdout.write(line)
        sys.stdout.flush()


def packed(times: array[int]) -> str:
    return b64encode(times.tobytes()).decode()


def zeros(count: int) -> array[int]:
    return array("q", bytes(8 * count))


class Record:
    """When each job's handler began, and how often handlers were called."""

    def __init__(self, numbers: int, expected: int) -> None:
        self._started = zeros(numbers)
        self._expected = expected
        self._calls = 0
        self._distinct = 0

    def handled(self, number: int) -> None:
        now = monotonic_ns()
        if number < 0:
            say(event="warm")
            return
        if not self._calls:
            say(event="first", at=now)
        self._calls += 1
        if not self._started[number]:
            self._started[number] = now
            self._distinct += 1
            if self._distinct == self._expected:
                say(event="done", at=monotonic_ns())

    def report(self) -> None:
        say(event="stopped", calls=self._calls, started=packed(self._started))


class Child:
    """Carries out the commands, one after the other."""

    def __init__(self, adapter: Adapter) -> None:
        self._adapter = adapter
        self._is_open = False

    async def install(self) -> None:
        await self._adapter.install()
        say(event="install")

    async def open(self, connections: int) -> None:
        await self._adapter.open(connections)
        self._is_open = True
        say(event="open")

    async def close(self) -> None:
        if self._is_open:
            await self._adapter.close()

    async def enqueue(self, first: int, count: int) -> None:
        began = perf_counter()
        await self._adapter.enqueue(first, count)
        say(event="enqueue", seconds=perf_counter() - began)

    async def send(self, count: int) -> None:
        for _ in range(WARM_UPS):
            await self._adapter.send(-1)
        milliseconds = []
        for number in range(count):
            began = perf_counter()
            await self._adapter.send(number)
            milliseconds.append((perf_counter() - began) * 1000)
        say(event="send", milliseconds=milliseconds)

    async def warm(self) -> None:
        await self._adapter.send(-1)
        say(event="warm")

    async def pace(self, rate: float, count: int) -> None:
        called, returned = zeros(count), zeros(count)
        free, tasks = asyncio.Semaphore(IN_FLIGHT), set()

        async def one(number: int) -> None:
            async with free:
                called[number] = monotonic_ns()
                await self._adapter.send(number)
                returned[number] = monotonic_ns()

        begin = monotonic_ns() + 20_000_000
        for number in range(count):
            ahead = (begin + int(number * 1e9 / rate) - monotonic_ns()) / 1e9
            if ahead > 0:
                await asyncio.sleep(ahead)
            task = asyncio.create_task(one(number))
            tasks.add(task)
            task.add_done_callback(tasks.discard)
        await asyncio.gather(*tasks)
        say(event="pace", called=packed(called), returned=packed(returned))

    async def work(self, numbers: int, expected: int) -> None:
        record, stopped = Record(numbers, expected), asyncio.Event()
        # As `pgboss worker` does it, for all that run in Python.
        gc.collect()
        gc.freeze()
        when_stopped(record, asyncio.get_running_loop(), stopped.set)
        await self._adapter.work(record.handled, lambda: say(event="ready"), stopped)

    def threads(self, threads: int, count: int) -> None:
        with self._adapter.sender(threads) as send, ThreadPoolExecutor(threads) as pool:

            def one(number: int) -> float:
                began = perf_counter()
                send(number)
                return (perf_counter() - began) * 1000

            list(pool.map(one, [-1] * (2 * threads)))
            began = perf_counter()
            milliseconds = list(pool.map(one, range(count)))
            say(event="threads", seconds=perf_counter() - began, milliseconds=milliseconds)


def when_stopped(record: Record, loop: asyncio.AbstractEventLoop, stop: Callable[[], None]) -> None:
    """Report at the word (or the end) of the driver, then stop; what is under way by then no longer counts."""

    def wait() -> None:
        sys.stdin.readline()
        record.report()
        loop.call_soon_threadsafe(stop)

    threading.Thread(target=wait, daemon=True).start()


def main() -> None:
    code = 1
    try:
        serve()
        code = 0
    except Exception:  # noqa: BLE001  whatever it is, the process must end
        traceback.print_exc()
    finally:
        # What a system leaves running (threads, loops) must not keep the driver waiting.
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def serve() -> None:
    order = json.loads(sys.argv[1])
    module = import_module(f"benchmarks.systems.{order['adapter']}")
    adapter: Adapter = module.Adapter(Place(**order["place"]), order["settings"])
    child = Child(adapter)
    with asyncio.Runner(loop_factory=_uvloop() if adapter.uses_uvloop else None) as runner:
        while line := sys.stdin.readline():
            command = json.loads(line)
            result = getattr(child, command.pop("do"))(**command)
            if asyncio.iscoroutine(result):
                runner.run(result)
        runner.run(child.close())


def _uvloop() -> Callable[[], asyncio.AbstractEventLoop]:
    factory: Callable[[], asyncio.AbstractEventLoop] = import_module("uvloop").new_event_loop
    return factory


if __name__ == "__main__":
    main()
