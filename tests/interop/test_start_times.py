"""Every spelling of a start time means the same to both sides, in every call that takes one."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from pgboss import ValidationError
from support.node import NodeError
from support.twins import Twins

pytestmark = pytest.mark.node

INDIA = timezone(timedelta(hours=5, minutes=30))

STARTS: list[tuple[Any, Any]] = [
    (start, start)
    for start in [
        5,
        0,
        -5,
        1.5,
        -0.5,
        "5",
        " 5 ",
        "0",
        "-5",
        "5.5",
        "5 minutes",
        "1 day 2 hours",
        "-1 hour",
        "PT1H",
        "P1DT2H",
        "01:02:03",
        "2027-01",
        "2030-01-02",
        "2030-01-02T03:04",
        "2030-01-02 03:04",
        "2030-01-02T03:04:05",
        "2030-01-02 03:04:05.678",
        "2030-01-02T03:04:05Z",
        "2030-01-02T03:04:05+05:30",
        "2030-01-02T03:04:05-08",
        "2030-01-02 03:04:05 America/New_York",
        "2030-01-02T03:04:05 UTC",
        "January 2, 2030 03:04:05 Z",
        "1999-01-01",
        datetime(2030, 1, 2, 3, 4, 5, tzinfo=UTC),
    ]
] + [(datetime(2030, 1, 2, 3, 4, 5, tzinfo=INDIA), datetime(2030, 1, 2, 3, 4, 5, tzinfo=INDIA))]

UNREADABLE = [
    "hello",
    "1e3x",
    "2030-01-02T03",
    "2030-01-02T03:04:05,678",
    "2030-13-02",
    "2030-01-02T25:00:00",
    "Z",
    "5 parsecs",
    "99999999999999999999",
    "2030-01-02 03:04:05 Nowhere/Else",
]


async def create(twins: Twins) -> None:
    await twins.node.call("createQueue", "jobs", {})
    await twins.ours.create_queue("jobs")


async def test_what_both_sides_read(twins: Twins) -> None:
    await create(twins)
    for number, (node, ours) in enumerate(STARTS):
        await twins.send(f"send {number}", "jobs", f"send {ours}", {"startAfter": node}, {"start_after": ours})
        await twins.node.call("insert", "jobs", [{"data": f"insert {ours}", "startAfter": node}])
        await twins.ours.insert("jobs", [{"data": f"insert {ours}", "start_after": ours}])
        await twins.node.call("upsert", "jobs", f"upsert {ours}", {"singletonKey": str(number), "startAfter": node})
        await twins.ours.upsert("jobs", f"upsert {ours}", singleton_key=str(number), start_after=ours)
        await twins.node.call("update", "jobs", f"update {ours}", {"singletonKey": str(number), "startAfter": node})
        await twins.ours.update("jobs", f"update {ours}", singleton_key=str(number), start_after=ours)

    twins.assert_same_jobs()


@pytest.mark.parametrize("text", UNREADABLE)
async def test_what_neither_side_reads(twins: Twins, text: str) -> None:
    await create(twins)
    await twins.send("job", "jobs", "before", {"singletonKey": "k"}, {"singleton_key": "k"})
    calls: list[tuple[str, list[Any]]] = [
        ("send", ["jobs", "data", {"startAfter": text}]),
        ("insert", ["jobs", [{"startAfter": text}]]),
        ("update", ["jobs", "data", {"startAfter": text, "singletonKey": "k"}]),
        ("upsert", ["jobs", "data", {"startAfter": text, "singletonKey": "new"}]),
    ]
    for call, args in calls:
        with pytest.raises(NodeError):
            await twins.node.call(call, *args)
    for key in ("k", "new"):
        with pytest.raises(ValidationError, match="start_after cannot be read"):
            await twins.ours.upsert("jobs", "data", start_after=text, singleton_key=key)
    with pytest.raises(ValidationError, match="start_after cannot be read"):
        await twins.ours.send("jobs", "data", start_after=text)
    with pytest.raises(ValidationError, match="start_after cannot be read"):
        await twins.ours.insert("jobs", [{"start_after": text}])
    with pytest.raises(ValidationError, match="start_after cannot be read"):
        await twins.ours.update("jobs", "data", start_after=text, singleton_key="k")

    twins.assert_same_jobs()
