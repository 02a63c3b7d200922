"""All queues at a glance: what counts as trouble, and figures over time."""

from __future__ import annotations

import pytest

from pgboss import PgBoss, QueueOptions
from pgboss.errors import ValidationError
from pgboss.insights.overview import overview, totals_over_time
from pgboss.web.site import Site
from support.boss import BossFactory
from support.postgres import sql


@pytest.fixture
def site(boss: PgBoss) -> Site:
    return Site(boss, name="", query_seconds=10)


async def test_those_in_trouble_come_first(site: Site, boss: PgBoss, database_url: str) -> None:
    for name in ("calm", "failing", "backlog", "stuck", "alone"):
        await boss.create_queue(name, warning_queue_size=5)
    for name in ("calm", "failing", "backlog", "stuck"):
        await boss.work(name, lambda job: None)
    await boss.pause_queue("stuck")
    _set(database_url, "failing", "failed_delta = 2, delta_on = now()")
    _set(database_url, "backlog", "queued_count = 6")
    _set(database_url, "alone", "ready_count = 1")
    _report_workers(database_url, "calm", "failing", "backlog", "stuck")
    sql(database_url, "INSERT INTO pgboss.job (name, start_after) VALUES ('stuck', now() - interval '1 hour')")
    _set(database_url, "stuck", "completed_delta = 0, delta_on = now()")

    found = await site.read(overview(site.schema))

    assert [(one.queue.name, one.troubles) for one in found.queues] == [
        ("alone", ("no_worker",)),
        ("stuck", ("stuck", "waiting")),
        ("failing", ("failing",)),
        ("backlog", ("backlog",)),
        ("calm", ()),
    ]
    assert found.queues[1].oldest_ready_seconds == pytest.approx(3600, abs=60)
    assert (found.totals.queues, found.totals.ready) == (5, 1)


async def test_workers_of_dead_instances_do_not_count(site: Site, boss: PgBoss, database_url: str) -> None:
    await boss.create_queue("mail")
    _set(database_url, "mail", "ready_count = 1")
    _report_workers(database_url, "mail")
    assert [one.workers for one in (await site.read(overview(site.schema))).queues] == [1]
    sql(database_url, "UPDATE pgboss.instance SET stopped_on = now()")
    [mail] = (await site.read(overview(site.schema))).queues
    assert (mail.workers, mail.troubles) == (0, ("no_worker",))


async def test_figures_of_all_queues_are_summed_in_buckets(site: Site, boss: PgBoss, database_url: str) -> None:
    for name in ("a", "b"):
        await boss.create_queue(name)
        sql(
            database_url,
            "INSERT INTO pgboss.queue_stats (name, ready_count, completed_delta, failed_delta, captured_on) "
            "SELECT %s, n, 10, 1, to_timestamp(floor(extract(epoch FROM now()) / 600) * 600) + n * interval '1 ms' "
            "FROM generate_series(1, 3) n",
            [name],
        )
    [point] = await site.read(totals_over_time(site.schema, seconds=1800, bucket_seconds=600))
    assert (point.ready, point.completed, point.failed, point.created) == (6, 60, 6, 0)


@pytest.mark.parametrize(("seconds", "bucket_seconds"), [(0, 60), (3600, 1), (10_000_000, 60)])
async def test_too_many_points(site: Site, seconds: int, bucket_seconds: int) -> None:
    with pytest.raises(ValidationError):
        await site.read(totals_over_time(site.schema, seconds=seconds, bucket_seconds=bucket_seconds))


async def test_nothing_at_all(make_boss: BossFactory) -> None:
    site = Site(await make_boss(queue_defaults=QueueOptions()), name="", query_seconds=10)
    found = await site.read(overview(site.schema))
    assert (list(found.queues), found.totals.queues) == ([], 0)


def _set(url: str, queue: str, values: str) -> None:
    sql(url, f"UPDATE pgboss.queue SET {values} WHERE name = '{queue}'")


def _report_workers(url: str, *queues: str) -> None:
    workers = ", ".join(f"jsonb_build_object('queue', '{queue}')" for queue in queues)
    sql(url, f"UPDATE pgboss.instance SET workers = jsonb_build_array({workers}), heartbeat_on = now()")
