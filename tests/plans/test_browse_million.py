"""With a million jobs, a hundred thousand of them of one instant, every page of every list comes at once."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from time import perf_counter
from typing import Any, TypeVar

import pytest

from pgboss import SyncPgBoss
from pgboss.core.job_filter import JobFilter
from pgboss.core.query import Operation
from pgboss.insights import browse, failures
from pgboss.web.site import Site
from support.boss import BossFactory
from support.plans import fill
from support.postgres import sql

T = TypeVar("T")

MOST_SECONDS = 0.3
PAGES = 5
NOW = datetime.now(UTC)
SPREAD = "now() - interval '2 days' + n * interval '200 ms'"
ENDED = {"started_on": "now()", "completed_on": SPREAD}
COMPLETED = {"state": "'completed'", "created_on": SPREAD, "start_after": SPREAD, **ENDED}
WAITING = {"created_on": SPREAD, "start_after": SPREAD}
ERROR = """jsonb_build_object('name', 'E', 'message', 'no document ' || n, 'stack', repeat('at line ', 100))"""
FAILED = COMPLETED | {"state": "'failed'", "output": ERROR}
AT_ONCE = {"created_on": "now()", "start_after": "now()"}

RARE = {"key": "nobody"}
FILTERS: list[dict[str, Any]] = [
    {},
    RARE,
    {"data": {"rare": True}},
    {"states": ("created",)},
    {"states": ("created",), **RARE},
    {"states": ("failed",)},
    {"states": ("failed",), **RARE},
    {"states": ("completed",), **RARE},
    {"states": ("active", "completed"), **RARE},
    {"states": ("retry", "failed"), "is_expired": True},
    {"created_from": NOW - timedelta(days=1), **RARE},
    {"finished_from": NOW - timedelta(hours=1)},
    {"finished_from": NOW - timedelta(days=1), **RARE},
]


@pytest.mark.prove
@pytest.mark.timeout(900)
async def test_every_page_comes_at_once(make_boss: BossFactory, database_url: str) -> None:
    boss = await make_boss()
    with SyncPgBoss(database_url, pool_size=1) as client:
        for name in ("mail", "post", "bulk", "own"):
            client.create_queue(name, partition=name == "own")
    for name in ("mail", "post", "own"):
        for number, columns in ((150_000, COMPLETED), (20_000, FAILED), (130_000, WAITING)):
            fill(database_url, name, number, **columns)
    fill(database_url, "bulk", 100_000, **AT_ONCE)
    site = Site(boss, name="", query_seconds=10)
    slow: list[str] = []
    for kind in ("never analysed", "analysed"):
        for given in FILTERS:
            for queue in (None, "mail", "own", "bulk"):
                seconds = await _slowest(site, JobFilter(queue=queue, **given))
                if seconds > MOST_SECONDS:
                    slow.append(f"{kind}, {queue}, {given}: {seconds:.3f} s")
        for queue in (None, "mail"):
            seconds, _ = await _timed(site, partial(failures, site.catalog, queue))
            if seconds > MOST_SECONDS:
                slow.append(f"{kind}, failures of {queue}: {seconds:.3f} s")
        sql(database_url, "ANALYZE")
    assert not slow, "\n".join(slow)


async def _slowest(site: Site, wanted: JobFilter) -> float:
    """The most that one of the first pages takes."""
    after: str | None = None
    slowest = 0.0
    for _ in range(PAGES):
        seconds, page = await _timed(site, partial(browse, site.catalog, wanted, after=after))
        slowest = max(slowest, seconds)
        if page.next is None:
            break
        after = page.next
    return slowest


async def _timed(site: Site, operation: Callable[[], Operation[T]]) -> tuple[float, T]:
    """The least that it takes of three times: what it reads is in memory, and other processes come in between."""
    times = []
    for _ in range(3):
        start = perf_counter()
        answer = await site.read(operation())
        times.append(perf_counter() - start)
    return min(times), answer
