"""``get_queue_stats`` on recorded figures: what Node says of the same rows, in every mode."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from pgboss import QueueStats
from support.boss import BossFactory
from support.differential.calls import in_our_words
from support.node import NodeBossFactory
from support.postgres import sql

pytestmark = pytest.mark.node

BEGIN = datetime(2031, 3, 5, 23, 50, tzinfo=UTC)

# Twenty minutes of passes around midnight, neither evenly spaced nor all counted; some older than histograms are.
GENERATED = """
SELECT setseed(0.4);
CREATE TABLE pgboss.queue_stats_20310305 PARTITION OF pgboss.queue_stats
   FOR VALUES FROM ('2031-03-05 00:00:00+00') TO ('2031-03-06 00:00:00+00');
CREATE TABLE pgboss.queue_stats_20310306 PARTITION OF pgboss.queue_stats
   FOR VALUES FROM ('2031-03-06 00:00:00+00') TO ('2031-03-07 00:00:00+00');
INSERT INTO pgboss.queue_stats
       (name, deferred_count, queued_count, ready_count, active_count, failed_count, total_count, created_delta,
        completed_delta, failed_delta, delta_seconds, delta_on, wait_bins, run_bins, ready_oldest_seconds, captured_on)
SELECT name, random() * 9, random() * 30, random() * 20, random() * 5, random() * 7, random() * 99,
       CASE WHEN counted THEN (random() * 50)::int END, CASE WHEN counted THEN (random() * 50)::int END,
       CASE WHEN counted THEN (random() * 5)::int END, CASE WHEN counted AND random() < 0.9 THEN gap END,
       CASE WHEN counted THEN captured_on - interval '10 seconds' END,
       CASE WHEN binned THEN (SELECT array_agg(CASE WHEN random() < 0.2 THEN (random() * 40)::int END)
                                FROM generate_series(1, 48) WHERE n = n) END,
       CASE WHEN binned THEN (SELECT array_agg(CASE WHEN random() < 0.2 THEN (random() * 40)::int END)
                                FROM generate_series(1, 48) WHERE n = n) END,
       CASE WHEN counted THEN (random() * 100)::int END, captured_on
  FROM (SELECT name, n, gap, random() < 0.85 AS counted, n > 3 AND random() < 0.8 AS binned,
               timestamptz '2031-03-05 23:50Z' + n * interval '19.7 seconds' + random() * interval '9 s' AS captured_on
          FROM unnest(ARRAY['mail', 'print']) name, generate_series(1, 60) n, LATERAL (SELECT 20 AS gap) g) made;
"""


def at(seconds: float) -> datetime:
    return BEGIN + timedelta(seconds=seconds)


def questions() -> Iterator[dict[str, Any]]:
    """Every mode, and mixtures of all that may be asked."""
    chance = random.Random(11)
    yield {}
    yield {"limit": 5, "percentiles": [50, 95, 50, 99.9]}
    for width in (1, 7, 20, 60, 300, 3600):
        for aggregate in ("max", "min", "avg"):
            yield {"bucketSeconds": width, "aggregate": aggregate, "percentiles": [50, 99]}
    for points in (1, 2, 3, 10, 50, 1000):
        yield {"maxDataPoints": points, "percentiles": [1, 100]}
    for _ in range(60):
        asked = {
            "from": at(chance.uniform(-100, 1300)),
            "to": at(chance.uniform(0, 1400)),
            "limit": chance.choice([1, 3, 1000]),
            "bucketSeconds": chance.choice([5, 33, 60, 600]),
            "maxDataPoints": chance.choice([1, 4, 20]),
            "aggregate": chance.choice(["max", "min", "avg"]),
            "percentiles": [chance.choice([10, 50, 90])],
        }
        yield {name: asked[name] for name in asked if chance.random() < 0.5}


def as_node_says(stats: QueueStats, *, with_percentiles: bool) -> dict[str, Any]:
    told = {
        "name": stats.name,
        "deferredCount": stats.deferred_count,
        "queuedCount": stats.queued_count,
        "readyCount": stats.ready_count,
        "activeCount": stats.active_count,
        "failedCount": stats.failed_count,
        "totalCount": stats.total_count,
        "completedDelta": stats.completed_delta,
        "failedDelta": stats.failed_delta,
        "createdDelta": stats.created_delta,
        "deltaSeconds": stats.delta_seconds,
        "deltaOn": _in_milliseconds(stats.delta_on),
        "waitBins": None if stats.wait_bins is None else list(stats.wait_bins),
        "runBins": None if stats.run_bins is None else list(stats.run_bins),
        "readyOldestSeconds": stats.ready_oldest_seconds,
        "capturedOn": _in_milliseconds(stats.captured_on),
    }
    shown = [
        {"p": read.p, "waitSeconds": _about(read.wait_seconds), "runSeconds": _about(read.run_seconds)}
        for read in stats.percentiles
    ]
    return told | ({"percentiles": shown} if with_percentiles else {})


def _about(seconds: float | None) -> Any:
    return None if seconds is None else pytest.approx(seconds, rel=1e-12)


def _in_milliseconds(time: datetime | None) -> datetime | None:
    return None if time is None else time.replace(microsecond=time.microsecond // 1000 * 1000)


@pytest.mark.timeout(60)
async def test_every_way_of_asking(make_boss: BossFactory, node_boss: NodeBossFactory, database_url: str) -> None:
    ours = await make_boss(persist_queue_stats=True)
    node = await node_boss(persistQueueStats=True)
    for name in ("mail", "print", "idle"):
        await ours.create_queue(name)
    sql(database_url, GENERATED)

    lengths = []
    for asked in questions():
        options = in_our_words(asked)
        if "from" in options:
            options["from_"] = options.pop("from")
        theirs = await node.call("getQueueStats", "mail", asked)
        mine = await ours.get_queue_stats("mail", **options)
        assert theirs == [as_node_says(stats, with_percentiles="percentiles" in asked) for stats in mine], asked
        lengths.append(len(mine))

    assert len(lengths) > 80
    assert max(lengths) == 60
    assert await ours.get_queue_stats("idle", bucket_seconds=60) == await node.call(
        "getQueueStats", "idle", {"bucketSeconds": 60}
    )
