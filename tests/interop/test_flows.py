"""Flows of both languages: the same rows, refused for the same reasons, freed by either side, worked by both."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import psycopg
import pytest

from pgboss import Flow, FlowIds, FlowJob, Job, JobConflictError, PgBoss, QueueOptions, SendOptions, ValidationError
from support.boss import BossFactory
from support.eventually import eventually
from support.node import NodeBoss, NodeBossFactory, NodeError
from support.postgres import sql, sql_value
from support.twins import NODE_SCHEMA, OUR_SCHEMA, Twins
from support.upkeep import SCHEMA

pytestmark = pytest.mark.node

QUEUES: dict[str, dict[str, Any]] = {
    "plain": {},
    "own": {"partition": True},
    "set": {"retry_limit": 7, "retry_delay": 3, "expire_in_seconds": 77, "notify": True},
    "dead": {},
}
NODE_QUEUES: dict[str, dict[str, Any]] = {
    "set": {"retryLimit": 7, "retryDelay": 3, "expireInSeconds": 77, "notify": True},
    "own": {"partition": True},
}


@pytest.fixture
async def twins(database_url: str, node_boss: NodeBossFactory, make_boss: BossFactory) -> Twins:
    """Both sides, each in its schema, with the same queues."""
    node = await node_boss(NODE_SCHEMA)
    ours = await make_boss(schema=OUR_SCHEMA, queue_defaults=QueueOptions())
    for name, options in QUEUES.items():
        await node.call("createQueue", name, NODE_QUEUES.get(name, {}))
        await ours.create_queue(name, **options)
    return Twins(database_url, node, ours)


IN_2030 = datetime(2030, 1, 2, 3, 4, 5, tzinfo=UTC)

NODE_FLOW: list[dict[str, Any]] = [
    {"ref": "root", "name": "plain", "data": {"n": 0}, "options": {"priority": 5, "singletonKey": "k"}},
    {"ref": "left", "name": "own", "data": {"n": 1}, "dependsOn": ["root"], "options": {"startAfter": 90}},
    {
        "ref": "right",
        "name": "set",
        "data": {"n": 2},
        "dependsOn": ["root", "root"],
        "options": {"startAfter": IN_2030},
    },
    {
        "ref": "end",
        "name": "plain",
        "data": {"n": 3},
        "dependsOn": ["root", "left", "right"],
        "options": {
            "retryLimit": 2,
            "retryDelay": 9,
            "retryBackoff": True,
            "retryDelayMax": 99,
            "expireInSeconds": 33,
            "retentionSeconds": 44,
            "deleteAfterSeconds": 55,
            "heartbeatSeconds": 66,
            "deadLetter": "dead",
            "group": {"id": "g", "tier": "gold"},
        },
    },
    {"ref": "alone", "name": "set", "options": {"singletonSeconds": 3600, "startAfter": -5}},
]
OUR_FLOW: list[FlowJob] = [
    FlowJob("root", "plain", {"n": 0}, (), SendOptions(priority=5, singleton_key="k")),
    FlowJob("left", "own", {"n": 1}, ["root"], SendOptions(start_after=90)),
    FlowJob("right", "set", {"n": 2}, ["root", "root"], SendOptions(start_after=IN_2030)),
    FlowJob(
        "end",
        "plain",
        {"n": 3},
        ["root", "left", "right"],
        SendOptions(
            retry_limit=2,
            retry_delay=9,
            retry_backoff=True,
            retry_delay_max=99,
            expire_in_seconds=33,
            retention_seconds=44,
            delete_after_seconds=55,
            heartbeat_seconds=66,
            dead_letter="dead",
            group_id="g",
            group_tier="gold",
        ),
    ),
    FlowJob("alone", "set", options=SendOptions(singleton_seconds=3600, start_after=-5)),
]


async def send_flow(twins: Twins) -> None:
    """The same flow on both sides, its ids remembered by ref."""
    node = await twins.node.call("flow", NODE_FLOW)
    ours = await twins.ours.flow(OUR_FLOW)
    assert set(node) == set(ours)
    twins.ids = {ref: (node[ref], ours[ref]) for ref in ours}


def dependencies(twins: Twins) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
    """Who waits for whom, by ref, on Node's side and on ours."""
    node = {UUID(theirs): ref for ref, (theirs, _) in twins.ids.items()}
    ours = {id: ref for ref, (_, id) in twins.ids.items()}

    def read(schema: str, refs: dict[UUID, str]) -> list[tuple[str, str]]:
        rows = sql(twins.url, f"SELECT child_id, parent_id FROM {schema}.job_dependency")
        return sorted((refs[row["child_id"]], refs[row["parent_id"]]) for row in rows)

    return read(NODE_SCHEMA, node), read(OUR_SCHEMA, ours)


def assert_same(twins: Twins) -> None:
    twins.assert_same_jobs()
    node, ours = dependencies(twins)
    assert ours == node


async def test_a_flow_leaves_the_same_rows(twins: Twins) -> None:
    await send_flow(twins)
    assert_same(twins)
    assert len(dependencies(twins)[1]) == 5


async def test_every_step_of_a_flow_leaves_the_same_rows(twins: Twins) -> None:
    await send_flow(twins)

    async def complete(ref: str, queue: str) -> None:
        [node_id], [our_id] = twins.node_ids(ref), twins.our_ids(ref)
        options = {"includeQueued": True}
        await twins.node.call("complete", queue, node_id, {"done": ref}, options)
        await twins.ours.complete(queue, our_id, {"done": ref}, include_queued=True)

    for ref, queue in (("root", "plain"), ("left", "own"), ("right", "set")):
        await complete(ref, queue)
        assert_same(twins)
        await twins.node.call("resolveFlow")
        await twins.ours.resolve_flow()
        assert_same(twins)
    assert not any(row["blocked"] for row in twins.rows(OUR_SCHEMA))


@pytest.mark.parametrize("what", ["fail", "cancel", "fail, retry and complete", "dead letter", "blocked ones"])
async def test_what_frees_and_what_does_not_is_the_same(twins: Twins, what: str) -> None:
    node_flow = [
        {"ref": "root", "name": "plain", "data": {"n": 0}, "options": {"retryLimit": 0, "deadLetter": "dead"}},
        *({"ref": f"child{n}", "name": "own", "data": {"n": n}, "dependsOn": ["root"]} for n in range(1, 4)),
    ]
    our_flow = [
        FlowJob("root", "plain", {"n": 0}, (), SendOptions(retry_limit=0, dead_letter="dead")),
        *(FlowJob(f"child{n}", "own", {"n": n}, ["root"]) for n in range(1, 4)),
    ]
    node, ours = await twins.node.call("flow", node_flow), await twins.ours.flow(our_flow)
    twins.ids = {ref: (node[ref], ours[ref]) for ref in ours}

    async def both(method: str, queue: str, ref: str, *, include_queued: bool = False) -> None:
        theirs: tuple[Any, ...] = (None, {"includeQueued": True}) if include_queued else ()
        keywords: dict[str, Any] = {"include_queued": True} if include_queued else {}
        await twins.node.call(method, queue, node[ref], *theirs)
        await getattr(twins.ours, method)(queue, ours[ref], **keywords)

    if what == "cancel":
        await both("cancel", "plain", "root")
    elif what == "blocked ones":
        await both("cancel", "own", "child1")
        await both("fail", "own", "child2")
        await both("complete", "own", "child3", include_queued=True)
        assert_same(twins)
        await both("complete", "plain", "root", include_queued=True)
    else:
        await both("fail", "plain", "root")
    if what == "fail, retry and complete":
        await both("retry", "plain", "root")
        await both("complete", "plain", "root", include_queued=True)
    if what == "dead letter":
        [copy] = await twins.node.call("fetch", "dead")
        await twins.node.call("complete", "dead", copy["id"])
        [our_copy] = await twins.ours.fetch("dead")
        await twins.ours.complete("dead", our_copy.id)
    await twins.node.call("resolveFlow")
    await twins.ours.resolve_flow()
    assert_same(twins)
    waiting = sum(row["blocked"] for row in twins.rows(OUR_SCHEMA))
    assert waiting == (0 if what in ("fail, retry and complete", "blocked ones") else 3)


REFUSED: dict[str, list[dict[str, Any]]] = {
    "one job": [{"ref": "a", "name": "plain"}],
    "ref twice": [{"ref": "a", "name": "plain"}, {"ref": "a", "name": "plain", "depends_on": ["a"]}],
    "empty ref": [{"ref": "", "name": "plain"}, {"ref": "b", "name": "plain", "depends_on": [""]}],
    "bad name": [{"ref": "a", "name": "no name"}, {"ref": "b", "name": "plain", "depends_on": ["a"]}],
    "no dependency": [{"ref": "a", "name": "plain"}, {"ref": "b", "name": "plain"}],
    "unknown": [{"ref": "a", "name": "plain"}, {"ref": "b", "name": "plain", "depends_on": ["c"]}],
    "itself": [{"ref": "a", "name": "plain"}, {"ref": "b", "name": "plain", "depends_on": ["b"]}],
    "ring": [
        {"ref": "a", "name": "plain", "depends_on": ["b"]},
        {"ref": "b", "name": "plain", "depends_on": ["c"]},
        {"ref": "c", "name": "plain", "depends_on": ["a"]},
    ],
}


@pytest.mark.parametrize("what", REFUSED)
async def test_both_refuse_the_same(twins: Twins, what: str) -> None:
    theirs = [
        {("dependsOn" if key == "depends_on" else key): value for key, value in job.items()} for job in REFUSED[what]
    ]
    with pytest.raises(NodeError) as node_error:
        await twins.node.call("flow", theirs)
    with pytest.raises(ValidationError) as our_error:
        await twins.ours.flow(REFUSED[what])
    if what == "ring":
        ring = str(our_error.value).rpartition(": ")[2].rstrip(".")
        assert ring in str(node_error.value)
    assert twins.rows(NODE_SCHEMA) == twins.rows(OUR_SCHEMA) == []


async def test_a_taken_slot_undoes_the_whole_flow_on_both_sides(twins: Twins) -> None:
    await twins.send("taken", "plain", {}, {"singletonSeconds": 3600}, {"singleton_seconds": 3600})
    with pytest.raises(NodeError):
        await twins.node.call(
            "flow",
            [
                {"ref": "a", "name": "own"},
                {"ref": "b", "name": "plain", "dependsOn": ["a"], "options": {"singletonSeconds": 3600}},
            ],
        )
    with pytest.raises(JobConflictError):
        await twins.ours.flow(
            [FlowJob("a", "own"), FlowJob("b", "plain", None, ["a"], SendOptions(singleton_seconds=3600))]
        )
    assert_same(twins)
    assert len(twins.rows(OUR_SCHEMA)) == 1


@pytest.fixture
async def shared(node_boss: NodeBossFactory, make_boss: BossFactory) -> tuple[NodeBoss, PgBoss]:
    """Both sides on one schema, neither with upkeep; queues ``a`` to ``c``, and one with a table of its own."""
    ours = await make_boss(queue_defaults=QueueOptions())
    for name in ("a", "b", "c"):
        await ours.create_queue(name)
    await ours.create_queue("own", partition=True)
    return await node_boss(), ours


def three_steps() -> Flow:
    flow = Flow()
    flow.add("own", {"step": 3}, after=flow.add("b", {"step": 2}, after=flow.add("a", {"step": 1})))
    return flow


async def test_each_sides_resolver_frees_the_others_flow(shared: tuple[NodeBoss, PgBoss]) -> None:
    node, ours = shared
    await ours.flow(three_steps())
    [first] = await ours.fetch("a")
    await ours.complete("a", first)
    await node.call("resolveFlow")
    [second] = await ours.fetch("b")
    await ours.complete("b", second)
    await node.call("resolveFlow")
    assert len(await ours.fetch("own")) == 1

    flow = [
        {"ref": "1", "name": "a"},
        {"ref": "2", "name": "b"},
        {"ref": "3", "name": "own", "dependsOn": ["1", "2"]},
    ]
    await node.call("flow", flow)
    for queue, freed in (("a", 0), ("b", 1)):
        [job] = await node.call("fetch", queue)
        await node.call("complete", queue, job["id"])
        assert await ours.resolve_flow() == freed
    assert len(await node.call("fetch", "own")) == 1


async def test_both_read_the_same_pages_of_dependencies(shared: tuple[NodeBoss, PgBoss]) -> None:
    node, ours = shared
    flow = Flow()
    parents = [flow.add(queue, {"n": n}) for queue in ("own", "a", "b") for n in range(3)]
    child = flow.add("c", after=parents)
    ids = await ours.flow(flow)

    theirs = await node.call("getDependencies", "c", str(ids[child]))
    found = await ours.get_dependencies("c", ids[child])
    assert [(ref.name, str(ref.id)) for ref in found] == [(ref["name"], ref["id"]) for ref in theirs]
    assert len(found) == 9

    after = {"name": found[3].name, "id": str(found[3].id)}
    page = await node.call("getDependencies", "c", str(ids[child]), {"limit": 3, "after": after})
    our_page = await ours.get_dependencies("c", ids[child], limit=3, after=found[3])
    assert our_page == found[4:7]
    assert [(ref.name, str(ref.id)) for ref in our_page] == [(ref["name"], ref["id"]) for ref in page]

    [dependent] = await node.call("getDependents", "own", str(ids[parents[0]]))
    [our_dependent] = await ours.get_dependents("own", ids[parents[0]])
    assert (our_dependent.name, str(our_dependent.id)) == (dependent["name"], dependent["id"])


@pytest.mark.parametrize("upkeep", ["node", "python"])
async def test_a_flow_is_worked_by_both(
    node_boss: NodeBossFactory, make_boss: BossFactory, database_url: str, upkeep: str
) -> None:
    """Python, then Node, then Python; only one side frees."""
    ours = await make_boss(supervise=upkeep == "python")
    node = await node_boss(supervise=upkeep == "node", flowIntervalSeconds=1)
    for name in ("a", "b", "own"):
        await ours.create_queue(name, partition=name == "own")
    order: list[str] = []

    async def handler(job: Job) -> str:
        order.append(job.name)
        return "python"

    await ours.work("a", handler)
    await ours.work("own", handler)
    await node.work("b", {"return": {"by": "node"}})
    ids = await ours.flow(three_steps())

    await eventually(lambda: all_completed(ours, ids), within=20)
    assert order == ["a", "own"]
    middle = await ours.get_job(ids["b"])
    assert middle is not None
    assert middle.output == {"by": "node"}


async def all_completed(boss: PgBoss, ids: FlowIds) -> bool:
    found = [await boss.get_job(id) for id in ids.values()]
    return all(job is not None and job.state == "completed" for job in found)


async def test_both_sides_share_the_claim(
    node_boss: NodeBossFactory, make_boss: BossFactory, database_url: str
) -> None:
    await make_boss(supervise=True)
    await eventually(lambda: sql_value(database_url, "SELECT flow_on FROM pgboss.version"))
    sql(database_url, "UPDATE pgboss.version SET flow_on = now() + interval '1 day'")
    stamp = sql_value(database_url, "SELECT flow_on FROM pgboss.version")
    node = await node_boss(supervise=True, flowIntervalSeconds=1)
    # Its first try comes at the start; a queue made afterwards shows that it had time for one.
    await node.call("createQueue", "later")
    await node.call("resolveFlow")
    assert sql_value(database_url, "SELECT flow_on FROM pgboss.version") == stamp
    sql(database_url, "UPDATE pgboss.version SET flow_on = now() - interval '1 second'")
    newer = await eventually(
        lambda: sql_value(
            database_url, "SELECT flow_on FROM pgboss.version WHERE flow_on > now() - interval '1 second'"
        )
    )
    assert stamp - newer < timedelta(days=1, seconds=30)


async def test_both_announce_a_flow_alike(shared: tuple[NodeBoss, PgBoss], database_url: str) -> None:
    node, ours = shared
    await ours.create_queue("loud", notify=True)
    later = {"startAfter": 3600}
    async with await psycopg.AsyncConnection.connect(database_url, autocommit=True) as listener:
        await listener.execute(f"LISTEN {SCHEMA.channel}")
        await node.call(
            "flow",
            [
                {"ref": "1", "name": "a"},
                {"ref": "2", "name": "loud", "dependsOn": ["1"]},
                {"ref": "3", "name": "loud", "options": later},
            ],
        )
        await listener.execute(f"NOTIFY {SCHEMA.channel}, 'end'")
        theirs = await heard(listener)
        await ours.flow(
            [
                FlowJob("1", "a"),
                FlowJob("2", "loud", None, ["1"]),
                FlowJob("3", "loud", options=SendOptions(start_after=3600)),
            ]
        )
        await listener.execute(f"NOTIFY {SCHEMA.channel}, 'end'")
        assert await heard(listener) == theirs == ["loud"]


async def heard(listener: psycopg.AsyncConnection[Any]) -> list[str]:
    names: list[str] = []
    async for notification in listener.notifies():
        if notification.payload == "end":
            break
        names.append(notification.payload)
    return names
