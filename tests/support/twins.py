"""Two schemas side by side: what Node does in one and we do in the other must leave the same rows."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from pgboss import PgBoss, QueueOptions
from support.boss import BossFactory
from support.node import NodeBoss, NodeBossFactory
from support.postgres import sql

NODE_SCHEMA = "node_side"
OUR_SCHEMA = "our_side"

# Instants are compared by their distance from the row's creation, where a second of slack is the test's own pace.
SLACK = timedelta(seconds=1.5)
_NOT_COMPARED = {"id", "source_id", "source_root_id", "created_on", "source_created_on"}


@dataclass
class Twins:
    """A Node instance and one of ours, each on a schema of its own in one database."""

    url: str
    node: NodeBoss
    ours: PgBoss
    ids: dict[str, tuple[str, UUID]] = field(default_factory=dict)

    async def send(self, label: str, queue: str, data: Any, node: dict[str, Any], ours: dict[str, Any]) -> None:
        """Send the same job on both sides and remember both ids under one label."""
        node_id = await self.node.call("send", queue, data, node)
        our_id = await self.ours.send(queue, data, **ours)
        assert (node_id is None) == (our_id is None)
        if our_id is not None:
            self.ids[label] = (node_id, our_id)

    def node_ids(self, *labels: str) -> list[str]:
        return [self.ids[label][0] for label in labels]

    def our_ids(self, *labels: str) -> list[UUID]:
        return [self.ids[label][1] for label in labels]

    def rows(self, schema: str) -> list[dict[str, Any]]:
        """Every job of a schema with all its columns, in an order both sides share."""
        return sql(self.url, f"SELECT * FROM {schema}.job ORDER BY name, data::text, created_on, source_name, state")

    def assert_same_jobs(self, *, random_start: bool = False) -> None:
        """Compare all columns of all jobs; ``random_start`` leaves start_after, which has a random part, out."""
        node, ours = self.rows(NODE_SCHEMA), self.rows(OUR_SCHEMA)
        assert [comparable(row) for row in ours] == [comparable(row) for row in node]
        left_out = {"start_after"} if random_start else set()
        for our_row, node_row in zip(ours, node, strict=True):
            assert_same_distances(our_row, node_row, left_out)

    def assert_same_queues(self) -> None:
        queues = "SELECT * FROM {}.queue ORDER BY name"
        node, ours = (sql(self.url, queues.format(schema)) for schema in (NODE_SCHEMA, OUR_SCHEMA))
        assert [comparable(row) for row in ours] == [comparable(row) for row in node]


def comparable(row: dict[str, Any]) -> dict[str, Any]:
    """A row without ids and instants; of those it says only whether they are there. Stacks differ by language."""
    return {
        column: value is not None if column in _NOT_COMPARED or isinstance(value, datetime) else without_stack(value)
        for column, value in row.items()
    }


def without_stack(value: Any) -> Any:
    return {key: inner for key, inner in value.items() if key != "stack"} if isinstance(value, dict) else value


def assert_same_distances(ours: dict[str, Any], node: dict[str, Any], left_out: set[str]) -> None:
    for column, value in ours.items():
        if column in left_out or not isinstance(value, datetime) or column == "singleton_on":
            continue
        distance = (value - ours["created_on"]) - (node[column] - node["created_on"])
        assert abs(distance) < SLACK, (
            f"{column}: {value - ours['created_on']} here, {node[column] - node['created_on']} there"
        )


@pytest.fixture
async def twins(database_url: str, node_boss: NodeBossFactory, make_boss: BossFactory) -> Twins:
    """Twins on empty schemas, whose queues get the same defaults."""
    node = await node_boss(NODE_SCHEMA)
    ours = await make_boss(schema=OUR_SCHEMA, queue_defaults=QueueOptions())
    return Twins(database_url, node, ours)
