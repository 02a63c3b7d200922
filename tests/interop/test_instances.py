"""The table of instances, written and read by both sides."""

from __future__ import annotations

from pgboss import PgBoss
from support.boss import BossFactory
from support.eventually import eventually
from support.node import NodeBossFactory

# Where the two measure different things, or are different things.
THEIR_OWN = {"id", "pid", "version", "nodeVersion", "applicationName", "startedOn", "heartbeatOn", "metrics", "workers"}


async def test_both_sides_write_the_same_row(make_boss: BossFactory, node_boss: NodeBossFactory) -> None:
    ours = await make_boss(pool_size=10, supervise=True, schedule=True, listen=False)
    node = await node_boss(supervise=True, schedule=True, useListenNotify=False, max=10)

    rows = await node.call("getInstances")
    mine, theirs = sorted(rows, key=lambda row: row["nodeVersion"].startswith("v"))
    assert mine["id"] == str(ours.id)
    assert mine["nodeVersion"].startswith("Python ")
    assert set(mine) == set(theirs)
    assert set(mine["metrics"]) == set(theirs["metrics"])
    assert mine["config"] == theirs["config"]
    pools = {"poolTotal", "poolIdle", "poolWaiting"}
    different = {key for key in mine if mine[key] != theirs[key]} - THEIR_OWN - pools
    assert different == set()


async def test_each_side_reads_what_the_other_works(make_boss: BossFactory, node_boss: NodeBossFactory) -> None:
    ours = await make_boss(instance_heartbeat_seconds=1)
    await ours.create_queue("jobs")

    async def nothing(job: object) -> None: ...

    await ours.work("jobs", nothing, batch_size=2, include_metadata=True)
    node = await node_boss(instanceHeartbeatSeconds=1)
    await node.work("jobs", batchSize=2, includeMetadata=True)

    [mine] = await eventually(lambda: workers_seen_by_node(node, str(ours.id)))
    [theirs] = await eventually(lambda: workers_of_others(ours))
    assert set(mine) == set(theirs)
    same = ("queue", "batchSize", "options", "active", "lastErrorOn")
    assert [mine[key] for key in same] == [theirs[key] for key in same]


async def workers_seen_by_node(node: object, id: str) -> list[dict[str, object]]:
    rows = await node.call("getInstances")  # type: ignore[attr-defined]  # a NodeBoss
    return [worker for row in rows if row["id"] == id for worker in row["workers"]]


async def workers_of_others(boss: PgBoss) -> list[dict[str, object]]:
    return [worker for row in await boss.get_instances() if row.id != boss.id for worker in row.workers]
