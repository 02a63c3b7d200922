"""Calls share a task while they wait for nothing, and never notice: each finds what a task of its own would give it."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from contextvars import ContextVar
from time import monotonic
from typing import Any

from pgboss.worker.pump import Pump
from support.eventually import eventually

Handler = Callable[[], Awaitable[None]]

colour: ContextVar[str] = ContextVar("colour", default="none")


class Calls:
    """Calls of handlers, run by a pump, and what was told of them."""

    def __init__(self, *handlers: Handler) -> None:
        self.handlers = deque(handlers)
        self.ended = 0
        self.waiting: list[asyncio.Task[Any]] = []
        self.pump = Pump(self.take, self.waiting.append, self.count)

    def take(self) -> Coroutine[Any, Any, None] | None:
        return self.call(self.handlers.popleft()) if self.handlers else None

    def count(self) -> None:
        self.ended += 1

    @staticmethod
    async def call(handler: Handler) -> None:
        with suppress(asyncio.CancelledError):
            await handler()

    async def run(self) -> None:
        self.pump.start()
        await eventually(lambda: not self.handlers)
        if self.waiting:
            await asyncio.wait(self.waiting)


def current() -> int:
    return id(asyncio.current_task())


async def test_calls_that_wait_for_nothing_share_a_task() -> None:
    tasks: list[int] = []

    async def handler() -> None:
        tasks.append(current())

    calls = Calls(*[handler] * 3)
    await calls.run()

    assert len(tasks) == 3
    assert len(set(tasks)) == 1
    assert calls.ended == 3


async def test_a_call_that_waits_keeps_its_task_and_the_others_go_on() -> None:
    seen: dict[str, list[int]] = {"waits": [], "short": []}
    go_on = asyncio.Event()

    async def waits() -> None:
        seen["waits"].append(current())
        await go_on.wait()
        seen["waits"].append(current())

    async def short() -> None:
        seen["short"].append(current())
        go_on.set()

    calls = Calls(waits, short)
    await calls.run()

    assert len(set(seen["waits"])) == 1
    assert seen["waits"][0] not in seen["short"]
    assert [id(task) for task in calls.waiting] == [seen["waits"][0]]
    assert calls.ended == 1


async def test_time_limits_of_a_handler_end_the_right_call() -> None:
    timed_out: list[bool] = []

    async def handler() -> None:
        try:
            async with asyncio.timeout(0.01):
                await asyncio.Event().wait()
        except TimeoutError:
            timed_out.append(True)

    await Calls(handler, handler).run()

    assert timed_out == [True, True]


async def test_what_a_call_sets_in_its_context_is_not_seen_by_the_next() -> None:
    seen: list[str] = []

    async def handler() -> None:
        seen.append(colour.get())
        colour.set("red")

    await Calls(handler, handler, handler).run()

    assert seen == ["none"] * 3


async def test_variables_that_cannot_be_compared_do_no_harm() -> None:
    class Odd(str):
        __slots__ = ()
        __hash__ = str.__hash__

        def __eq__(self, other: object) -> bool:
            raise ValueError

    seen: list[str] = []

    async def handler() -> None:
        seen.append(colour.get())
        colour.set(Odd("red"))

    colour.set(Odd("blue"))
    await Calls(handler, handler).run()

    assert [str.__str__(one) for one in seen] == ["blue", "blue"]


async def test_a_task_that_somebody_keeps_serves_no_other_call() -> None:
    kept: list[asyncio.Task[Any]] = []
    survived: list[bool] = []

    async def keeps() -> None:
        task = asyncio.current_task()
        assert task is not None
        kept.append(task)

    async def waits() -> None:
        kept[0].cancel()
        await asyncio.sleep(0.01)
        survived.append(True)

    await Calls(keeps, waits).run()

    assert survived == [True]


async def test_a_call_that_cancels_itself_and_returns_leaves_the_next_alone() -> None:
    survived: list[bool] = []

    async def cancels() -> None:
        task = asyncio.current_task()
        assert task is not None
        task.cancel()

    async def waits() -> None:
        await asyncio.sleep(0)
        survived.append(True)

    await Calls(cancels, waits).run()

    assert survived == [True]


async def test_a_waiting_call_can_be_cancelled() -> None:
    cancelled: list[bool] = []

    async def waits() -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.append(True)
            raise

    calls = Calls(waits)
    calls.pump.start()
    await eventually(lambda: calls.waiting)
    calls.waiting[0].cancel()
    await asyncio.wait(calls.waiting)

    assert cancelled == [True]


async def test_others_get_their_turn_while_many_calls_wait() -> None:
    turns: list[int] = []

    async def handler() -> None:
        busy_until = monotonic() + 0.001
        while monotonic() < busy_until:
            pass

    calls = Calls(*[handler] * 100)
    calls.pump.start()
    while calls.handlers:
        await asyncio.sleep(0)
        turns.append(len(calls.handlers))

    assert len(set(turns)) > 5
