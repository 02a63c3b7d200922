"""A Node application stays healthy while people act on its queues and jobs over HTTP."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest

from pgboss import PgBoss
from pgboss.web import app
from support.eventually import eventually
from support.node import NodeBoss, NodeBossFactory
from support.postgres import sql_value
from support.web import calling

pytestmark = [pytest.mark.node, pytest.mark.timeout(120)]

ROUNDS = 8


class Flow:
    """A Node application that sends jobs until it is told that it is enough."""

    def __init__(self, node: NodeBoss) -> None:
        self.node = node
        self.sent: list[str] = []
        self.over = False

    async def go_on(self) -> None:
        while not self.over:
            self.sent.append(await self.node.call("send", "mail", {"n": len(self.sent)}))


def dead_letters(url: str) -> int:
    return int(sql_value(url, "SELECT count(*) FROM pgboss.job WHERE name = 'dead'"))


async def acted(client: httpx.AsyncClient, method: str, path: str, json: Any = None) -> Any:
    answer = await client.request(method, path, json=json)
    assert answer.status_code < 300, (method, path, answer.text)
    return answer.json() if answer.content else None


async def act_on_everything(client: httpx.AsyncClient, boss: PgBoss) -> None:
    """Every change that the API offers on queues and jobs, on those that Node has made."""
    await acted(client, "PATCH", "/api/queues/mail", {"retry_limit": 5, "warning_queue_size": 1000})
    await acted(client, "POST", "/api/queues/mail/pause")
    await acted(client, "POST", "/api/queues/mail/resume")
    await acted(client, "POST", "/api/queues/mail/purge", {"which": "stored"})
    await acted(client, "PUT", "/api/schedules/mail?key=web", {"expression": "0 6 * * *", "data": {"n": -1}})
    await acted(client, "POST", "/api/schedules/run", {"queue": "mail", "key": "web"})
    await acted(client, "POST", "/api/schedules/pause", {"queue": "mail", "key": "web"})
    await acted(client, "PUT", "/api/subscriptions?event=paid&queue=mail")
    await acted(client, "POST", "/api/publish", {"event": "paid", "data": {"n": -2}})
    await acted(client, "DELETE", "/api/subscriptions?event=paid&queue=mail")
    [later] = await boss.find_jobs("later", limit=1)
    await acted(client, "POST", f"/api/jobs/{later.id}/cancel")
    await acted(client, "POST", f"/api/jobs/{later.id}/resume")
    await acted(client, "DELETE", f"/api/jobs/{later.id}")
    await acted(client, "POST", "/api/redrive/dead", {"limit": 1})
    await acted(client, "PUT", "/api/queues/of-the-web", {"policy": "short", "partition": True})
    await acted(client, "DELETE", "/api/queues/of-the-web")


async def test_node_goes_on_and_nothing_is_lost(boss: PgBoss, node_boss: NodeBossFactory, database_url: str) -> None:
    node = await node_boss(supervise=True, schedule=True, monitorIntervalSeconds=1, maintenanceIntervalSeconds=1)
    await node.call("createQueue", "dead")
    for queue, options in (("mail", {}), ("later", {}), ("broken", {"deadLetter": "dead", "retryLimit": 0})):
        await node.call("createQueue", queue, options)
    for number in range(ROUNDS):
        await node.call("send", "later", {"n": number}, {"startAfter": 3600})
        await node.call("send", "broken", {"n": number})
    await node.work("broken", {"throw": {"message": "no"}}, batchSize=ROUNDS)
    await node.work("mail", {"return": True}, batchSize=20)
    await eventually(lambda: dead_letters(database_url) == ROUNDS, within=15)

    flow = Flow(node)
    async with calling(app(boss)) as client:
        sending = asyncio.create_task(flow.go_on())
        try:
            for _ in range(ROUNDS):
                await act_on_everything(client, boss)
        finally:
            flow.over = True
            await sending

    def handled() -> set[str]:
        batches = node.process.events(lambda event: event["event"] == "handled" and event["queue"] == "mail")
        return {job["id"] for batch in batches for job in batch["jobs"]}

    await eventually(lambda: set(flow.sent) <= handled(), within=40)
    drift = await node.call("detectSchemaDrift")
    assert drift["ok"], drift
    assert {queue["name"] for queue in await node.call("getQueues")} >= {"mail", "later", "broken", "dead"}
    # What a redrive has brought back has failed again under Node. Error events of Node's fail the fixture.
    failed = "SELECT count(*) FROM pgboss.job WHERE name = 'broken' AND state = 'failed'"
    await eventually(lambda: sql_value(database_url, failed) == 2 * ROUNDS, within=15)
