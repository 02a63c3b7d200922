"""Spans and metrics of OpenTelemetry, as an application's SDK receives them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import SpanKind, StatusCode

from pgboss import Jobs, OpenTelemetryOptions, PgBoss, SyncPgBoss
from pgboss.testing import drain
from support import process_handlers
from support.boss import BossFactory
from support.eventually import eventually
from support.postgres import sql_value
from support.telemetry import Collected


@pytest.fixture
def collected() -> Collected:
    return Collected()


def attributes(span: ReadableSpan) -> Mapping[str, Any]:
    return dict(span.attributes or {})


async def test_a_job_from_its_sender_to_its_handler(make_boss: BossFactory, collected: Collected) -> None:
    jobs = Jobs()
    seen: list[trace.SpanContext] = []

    @jobs.job("mail")
    async def mail(data: dict[str, str]) -> None:
        seen.append(trace.get_current_span().get_span_context())

    @jobs.job("threaded")
    def threaded(data: dict[str, str]) -> None:
        seen.append(trace.get_current_span().get_span_context())

    boss = await make_boss(jobs=[jobs], work=False, open_telemetry=collected.options(propagate_context=True))
    with collected.tracer_provider.get_tracer("test").start_as_current_span("request"):
        id = await boss.send(mail, {"to": "ada"})
        await boss.send(threaded, {"to": "ada"})
    await drain(boss)

    sent, processed, request = collected.span("send mail"), collected.span("process mail"), collected.span("request")
    database = sql_value(boss._database.conninfo, "SELECT current_database()")
    common = {
        "messaging.system": "pg-boss",
        "messaging.destination.name": "mail",
        "pgboss.schema": "pgboss",
        "db.namespace": f"{database}|pgboss",
        "messaging.message.id": str(id),
    }
    assert attributes(sent) == common | {"messaging.operation.name": "send", "messaging.operation.type": "send"}
    assert attributes(processed) == common | {
        "messaging.operation.name": "process",
        "messaging.operation.type": "process",
        "pgboss.job.retry_count": 0,
    }
    assert (sent.kind, processed.kind) == (SpanKind.PRODUCER, SpanKind.CONSUMER)
    assert sent.parent is not None
    assert sent.parent.span_id == request.context.span_id
    assert processed.parent is not None
    assert processed.parent.span_id == sent.context.span_id
    assert processed.context.trace_id == request.context.trace_id
    # Current in the handler, in its thread as well.
    assert [context.span_id for context in seen] == [
        processed.context.span_id,
        collected.span("process threaded").context.span_id,
    ]
    assert sent.instrumentation_scope is not None
    assert sent.instrumentation_scope.name == "pg-boss"
    carrier = sql_value(boss._database.conninfo, "SELECT trace_context FROM pgboss.job WHERE id = %s", [id])
    assert carrier["traceparent"].startswith(f"00-{sent.context.trace_id:032x}-{sent.context.span_id:016x}-")


async def test_calls_by_hand(make_boss: BossFactory, collected: Collected) -> None:
    boss = await make_boss(open_telemetry=collected.options(propagate_context=True))
    await boss.create_queue("a")
    await boss.create_queue("b")
    await boss.subscribe("event", "a")
    await boss.insert("a", [{"data": 1}, {"data": 2}])
    await boss.publish("event", {})
    await boss.upsert("b", {}, singleton_key="k")
    await boss.flow([{"ref": "x", "name": "a"}, {"ref": "y", "name": "a", "depends_on": ["x"]}])
    await boss.flow([{"ref": "x", "name": "a"}, {"ref": "y", "name": "b", "depends_on": ["x"]}])
    jobs = await boss.fetch("a", batch_size=2)
    await boss.complete("a", jobs[0])
    await boss.fail("a", jobs[1])
    cancelled = await boss.send("a")
    assert cancelled is not None
    await boss.cancel("a", cancelled)
    await boss.delete_job("a", cancelled)

    assert attributes(collected.span("insert a"))["messaging.batch.message_count"] == 2
    assert attributes(collected.span("flow a"))["messaging.batch.message_count"] == 2
    assert "messaging.destination.name" not in attributes(collected.span("flow"))
    assert "messaging.message.id" in attributes(collected.span("publish event"))
    assert "messaging.message.id" in attributes(collected.span("upsert b"))
    received = collected.span("receive a")
    assert received.kind is SpanKind.CLIENT
    assert attributes(received)["messaging.batch.message_count"] == 2
    assert {link.context.span_id for link in received.links} == {collected.span("insert a").context.span_id}
    for operation, id in (("complete", jobs[0].id), ("fail", jobs[1].id), ("cancel", cancelled), ("delete", cancelled)):
        span = collected.span(f"{operation} a")
        assert span.kind is SpanKind.CLIENT
        assert attributes(span)["messaging.message.id"] == str(id)
        assert attributes(span)["messaging.operation.type"] == "settle"

    sent = {
        (point.attributes["messaging.operation.name"], point.attributes.get("messaging.destination.name")): point.value
        for point in collected.points("messaging.client.sent.messages")
    }
    assert sent == {
        ("insert", "a"): 2,
        ("publish", "event"): 1,
        ("upsert", "b"): 1,
        ("flow", "a"): 2,
        ("flow", None): 2,
        ("send", "a"): 1,
    }
    durations = collected.points("messaging.client.operation.duration")
    assert durations[0].explicit_bounds == (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10)
    assert not any("messaging.message.id" in point.attributes for point in durations)


async def test_errors_are_told(make_boss: BossFactory, collected: Collected) -> None:
    jobs = Jobs()

    @jobs.job("broken", retry_limit=0)
    async def broken(data: dict[str, str]) -> None:
        raise LookupError("gone")

    boss = await make_boss(jobs=[jobs], work=False, open_telemetry=collected.options())
    await boss.send(broken, {})
    await drain(boss)
    with pytest.raises(Exception, match="does not exist"):
        await boss.send("missing", {})

    for span, kind in (
        (collected.span("process broken"), "LookupError"),
        (collected.span("send missing"), "QueueNotFoundError"),
    ):
        assert span.status.status_code is StatusCode.ERROR
        assert attributes(span)["error.type"] == kind
        assert [event.name for event in span.events] == ["exception"]
    [point] = collected.points("messaging.process.duration")
    assert point.attributes["error.type"] == "LookupError"


async def test_batches_link_to_their_senders(make_boss: BossFactory, collected: Collected) -> None:
    jobs = Jobs()

    @jobs.batch("many", batch_size=5)
    async def many(numbers: list[int]) -> None: ...

    boss = await make_boss(jobs=[jobs], work=False, open_telemetry=collected.options(propagate_context=True))
    await boss.send(many, 1)
    await boss.send(many, 2)
    await drain(boss)

    processed = collected.span("process many")
    assert processed.parent is None
    assert {link.context.span_id for link in processed.links} == {
        span.context.span_id for span in collected.spans("send many")
    }
    assert attributes(processed)["messaging.batch.message_count"] == 2
    assert sum(point.value for point in collected.points("messaging.client.consumed.messages")) == 2


async def test_the_trace_is_kept_by_retries_and_dead_letters(make_boss: BossFactory, collected: Collected) -> None:
    jobs = Jobs()

    @jobs.job("flaky", retry_limit=1, retry_delay=0, retry_backoff=False, dead_letter="dead")
    async def flaky(data: dict[str, str]) -> None:
        raise LookupError

    @jobs.job("dead")
    async def dead(data: dict[str, str]) -> None: ...

    boss = await make_boss(jobs=[jobs], work=False, open_telemetry=collected.options(propagate_context=True))
    await boss.send(flaky, {})
    await drain(boss)

    sender = collected.span("send flaky").context.span_id
    spans = [*collected.spans("process flaky"), *collected.spans("process dead")]
    assert [span.parent.span_id for span in spans if span.parent is not None] == [sender] * 3
    assert [attributes(span)["pgboss.job.retry_count"] for span in spans] == [0, 1, 0]


async def test_nothing_is_written_unless_asked_for(make_boss: BossFactory, collected: Collected) -> None:
    boss = await make_boss(open_telemetry=collected.options())
    await boss.create_queue("mail")
    await boss.send("mail", {})

    assert sql_value(boss._database.conninfo, "SELECT count(*) FROM pgboss.job WHERE trace_context IS NOT NULL") == 0
    [job] = await boss.fetch("mail")
    assert job.trace_context is None


async def test_where_no_sdk_is_set_up_nobody_watches(make_boss: BossFactory) -> None:
    boss = await make_boss()

    assert boss._watch.telemetry is not None
    assert not boss._watch.is_needed


async def test_switched_off_nobody_watches(make_boss: BossFactory, collected: Collected) -> None:
    for off in (False, OpenTelemetryOptions(enabled=False, tracer_provider=collected.tracer_provider)):
        boss = await make_boss(open_telemetry=off)
        assert not boss._watch.is_needed


@pytest.mark.slow
@pytest.mark.timeout(60)
async def test_a_handler_in_a_process_is_part_of_the_trace(make_boss: BossFactory, collected: Collected) -> None:
    boss = await make_boss(open_telemetry=collected.options())
    await boss.create_queue("apart")
    id = await boss.send("apart", {})
    assert id is not None
    await boss.work("apart", process_handlers.current_trace, executor="process", concurrency=1)

    async def output() -> Any:
        job = await boss.get_job(id)
        return job and job.output

    found = await eventually(output, within=30)
    processed = collected.span("process apart").context
    assert found == {"value": f"{processed.trace_id:032x}-{processed.span_id:016x}"}


def test_the_sync_twin_tells_the_same(database_url: str, collected: Collected) -> None:
    with SyncPgBoss(database_url, open_telemetry=collected.options(propagate_context=True)) as boss:
        boss.create_queue("mail")
        id = boss.send("mail", {})
        [job] = boss.fetch("mail")

    assert attributes(collected.span("send mail"))["messaging.message.id"] == str(id)
    assert job.trace_context is not None
    assert job.trace_context["traceparent"].split("-")[1] == f"{collected.span('send mail').context.trace_id:032x}"


async def test_queues_are_told_as_they_were_counted_last(make_boss: BossFactory, collected: Collected) -> None:
    boss: PgBoss = await make_boss(open_telemetry=collected.options())
    await boss.create_queue("mail")
    await boss.send("mail", {})
    await boss.supervise("mail")
    assert boss._gauge is not None
    # They are read anew for those who have looked at the last ones.
    collected.points("pgboss.queue.jobs")
    await boss._gauge.run_once()

    told = {
        point.attributes["pgboss.job.state"]: point.value
        for point in collected.points("pgboss.queue.jobs")
        if point.attributes["messaging.destination.name"] == "mail"
    }
    assert told == {"deferred": 0, "ready": 1, "blocked": 0, "active": 0, "failed": 0}
