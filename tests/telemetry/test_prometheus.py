"""Metrics for Prometheus: their names, and that they tell the truth."""

from __future__ import annotations

import asyncio
from urllib.request import urlopen

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.registry import Collector

from pgboss import ConfigurationError, Job, PgBoss
from pgboss.prometheus import QueueCollector, WorkerCollector, serve_metrics
from support.eventually import eventually
from support.postgres import sql


def told(*collectors: Collector) -> dict[str, dict[frozenset[tuple[str, str]], float]]:
    registry = CollectorRegistry(auto_describe=False)
    for collector in collectors:
        registry.register(collector)
    samples: dict[str, dict[frozenset[tuple[str, str]], float]] = {}
    for family in text_string_to_metric_families(generate_latest(registry).decode()):
        for sample in family.samples:
            samples.setdefault(sample.name, {})[frozenset(sample.labels.items())] = sample.value
    return samples


def labels(**values: str) -> frozenset[tuple[str, str]]:
    return frozenset(values.items())


async def test_queues_are_told_from_the_database(boss: PgBoss, database_url: str) -> None:
    await boss.create_queue("mail")
    await boss.insert("mail", [{}, {}, {"start_after": 3600}])
    await boss.supervise("mail")
    sql(
        database_url,
        "UPDATE pgboss.job SET start_after = start_after - interval '90 s' WHERE start_after < now()",
    )
    collector = QueueCollector(database_url)
    try:
        found = await asyncio.to_thread(told, collector)
    finally:
        collector.close()

    assert found["pgboss_up"] == {frozenset(): 1.0}
    jobs = found["pgboss_queue_jobs"]
    assert jobs[labels(queue="mail", state="ready")] == 2
    assert jobs[labels(queue="mail", state="deferred")] == 1
    assert 90 <= found["pgboss_queue_oldest_ready_seconds"][labels(queue="mail")] < 150
    assert 0 <= found["pgboss_queue_counted_seconds"][labels(queue="mail")] < 60


def test_a_database_that_does_not_answer_is_told_as_such() -> None:
    collector = QueueCollector("postgresql://nobody@localhost:1/nowhere")
    assert told(collector)["pgboss_up"] == {frozenset(): 0.0}


async def test_workers_tell_of_what_they_do(database_url: str) -> None:
    boss = PgBoss(database_url, supervise=False, open_telemetry=False)
    collector = WorkerCollector(boss)
    held, go_on = asyncio.Event(), asyncio.Event()

    async def handler(job: Job) -> None:
        if job.data == "fails":
            raise LookupError
        held.set()
        await go_on.wait()

    async with boss:
        await boss.create_queue("mail", retry_limit=0)
        await boss.work("mail", handler, concurrency=3)
        await boss.send("mail", "fails")
        await boss.send("mail", "held")
        await held.wait()
        await eventually(lambda: told(collector).get("pgboss_jobs_settled_total"))
        found = told(collector)
        assert found["pgboss_jobs_created_total"] == {labels(queue="mail"): 2}
        assert found["pgboss_jobs_claimed_total"] == {labels(queue="mail"): 2}
        assert found["pgboss_jobs_settled_total"] == {labels(queue="mail", outcome="failed"): 1}
        assert found["pgboss_worker_slots"] == {labels(queue="mail"): 3}
        assert found["pgboss_worker_jobs"] == {labels(queue="mail"): 1}
        assert found["pgboss_handler_duration_seconds_count"] == {labels(queue="mail"): 1}
        assert found["pgboss_settler_backlog"] == {frozenset(): 0}
        assert found["pgboss_leases_lost_total"] == {frozenset(): 0}
        go_on.set()
        await eventually(
            lambda: told(collector)["pgboss_jobs_settled_total"].get(labels(queue="mail", outcome="completed"))
        )


async def test_failures_in_the_background_are_counted(database_url: str) -> None:
    boss = PgBoss(database_url, supervise=False)
    collector = WorkerCollector(boss)
    async with boss:
        await boss.create_queue("mail")
        await boss.work("mail", lambda job: None)
        sql(database_url, "DROP FUNCTION pgboss.job_now() CASCADE")
        await eventually(lambda: sum(told(collector).get("pgboss_errors_total", {}).values()))


def test_the_port_answers(database_url: str) -> None:
    collector = QueueCollector(database_url)
    with serve_metrics(collector, port=0, host="127.0.0.1") as port:
        with urlopen(f"http://127.0.0.1:{port}/metrics") as answer:
            assert b"pgboss_up 0.0" in answer.read()  # nothing is installed here
        taken = serve_metrics(collector, port=port, host="127.0.0.1")
        with pytest.raises(ConfigurationError, match=f"Port {port} of 127.0.0.1 cannot be had"), taken:
            pass
    collector.close()
