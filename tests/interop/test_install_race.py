"""Node and Python start on the same empty schema at the same moment."""

from __future__ import annotations

import asyncio

import pytest

from pgboss.core.names import SchemaName
from pgboss.operations.drift import detect_drift
from pgboss.operations.install import ensure
from support.node import NodeBossFactory
from support.operations import run_operation
from support.postgres import sql

pytestmark = pytest.mark.node

STARTS = 4
# Either side comes first in some of the races.
NAMES = ["pgboss", "MyJobs", '"My-Jobs"', "four", "five", "six"]


@pytest.mark.parametrize("name", NAMES)
async def test_four_nodes_and_four_pythons_make_one_schema(
    node_boss: NodeBossFactory, database_url: str, name: str
) -> None:
    schema = SchemaName(name)
    bosses = [await node_boss(name, name=f"node {number}", start=False) for number in range(STARTS)]

    async def install() -> bool:
        state = await asyncio.to_thread(run_operation, database_url, ensure(schema))
        return state.installed

    starts = asyncio.gather(*(boss.call("start") for boss in bosses))
    installed = await asyncio.gather(*(install() for _ in range(STARTS)))
    await starts

    assert sum(installed) <= 1
    assert sql(database_url, f"SELECT version FROM {schema.table('version')}") == [{"version": 46}]
    assert run_operation(database_url, detect_drift(schema)) == []
    await bosses[0].call("createQueue", "mail")
    await bosses[1].call("send", "mail", {"from": "one"})
    [job] = await bosses[2].call("fetch", "mail")
    assert job["data"] == {"from": "one"}
