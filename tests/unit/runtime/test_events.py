"""Listeners hear of events in order, whatever other listeners do."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from typing import Any

import pytest

from pgboss import ValidationError, WarningEvent
from pgboss.runtime.events import MOST_WAITING, Events


@pytest.fixture
async def events() -> AsyncIterator[Events]:
    opened = Events()
    opened.open()
    yield opened
    await opened.close()


async def test_callbacks_hear_in_order_async_and_plain(events: Events) -> None:
    heard: list[Any] = []

    async def later(payload: Any) -> None:
        await asyncio.sleep(0)
        heard.append(("async", payload))

    events.on("flow", later)
    events.on("flow", lambda payload: heard.append(("plain", payload)))
    events.emit("flow", 1)
    events.emit("flow", 2)
    await events.close()

    assert heard == [("async", 1), ("plain", 1), ("async", 2), ("plain", 2)]


async def test_a_callback_that_raises_keeps_nobody_from_hearing(
    events: Events, caplog: pytest.LogCaptureFixture
) -> None:
    heard: list[Any] = []

    def broken(payload: Any) -> None:
        raise RuntimeError("deaf")

    events.on("bam", broken)
    events.on("bam", heard.append)
    events.emit("bam", "built")
    await events.close()

    assert heard == ["built"]
    assert "a listener for the event bam failed" in caplog.text
    assert "deaf" in caplog.text


async def test_nobody_hears_after_off_or_close(events: Events) -> None:
    heard: list[Any] = []
    events.on("wip", heard.append)
    events.off("wip", heard.append)
    events.emit("wip", 1)
    events.on("flow", heard.append)
    await events.close()
    events.emit("flow", 2)

    assert heard == []


async def test_warnings_are_logged_and_told(events: Events, caplog: pytest.LogCaptureFixture) -> None:
    heard: list[Any] = []
    events.on("warning", heard.append)
    warning = WarningEvent("queue_backlog", "queue mail is long", {"name": "mail"})
    with caplog.at_level(logging.WARNING, "pgboss"):
        events.warn(warning)
    await events.close()

    assert heard == [warning]
    [record] = caplog.records
    assert record.getMessage() == "queue mail is long"
    assert vars(record)["warning"] == "queue_backlog"


async def test_a_listener_may_close_what_tells_it(events: Events) -> None:
    closed = asyncio.Event()

    async def close(payload: Any) -> None:
        await events.close()
        closed.set()

    events.on("error", close)
    events.emit("error", "x")
    await closed.wait()


async def test_a_listener_that_never_returns_does_not_hold_up_the_end(events: Events) -> None:
    events.on("flow", lambda payload: asyncio.Event().wait())
    events.emit("flow", 1)
    await asyncio.wait_for(events.close(), 5)


async def test_events_are_dropped_rather_than_heaped_up(events: Events, caplog: pytest.LogCaptureFixture) -> None:
    heard: list[Any] = []
    events.on("flow", heard.append)
    for number in range(MOST_WAITING + 5):
        events.emit("flow", number)
    await events.close()

    assert heard == list(range(MOST_WAITING))
    assert len([record for record in caplog.records if "too slow" in record.getMessage()]) == 1


def test_unknown_events_and_callbacks_are_refused() -> None:
    with pytest.raises(ValidationError, match=r"There is no event 'warn'; there are error, warning"):
        Events().on("warn", print)  # type: ignore[arg-type]  # what is refused
    with pytest.raises(ValidationError, match=r"must be a function, not 5"):
        Events().on("warning", 5)  # type: ignore[arg-type]  # what is refused
