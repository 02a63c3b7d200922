"""What definitions declare, put into the database when an instance starts: queues, subscriptions, schedules."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from graphlib import CycleError, TopologicalSorter
from typing import Any

from pgboss.client import Client
from pgboss.core.names import SchemaName
from pgboss.drivers.runner import Run
from pgboss.errors import ConfigurationError
from pgboss.jobs import JobDefinition
from pgboss.operations.schedules import declare

__all__ = ["create_queues", "declare_schedules"]

logger = logging.getLogger("pgboss")


async def create_queues(client: Client, definitions: Iterable[JobDefinition[Any, Any]]) -> None:
    """Create the definitions' queues where they are missing, each after the dead letter queue it names."""
    existing = {queue.name for queue in await client.get_queues()}
    missing = {definition.name: definition for definition in definitions if definition.name not in existing}
    for name in _dead_letters_first(missing.values()):
        if name not in existing:
            options = missing[name].queue_options.given() if name in missing else {}
            await client.create_queue(name, **options)


async def declare_schedules(
    run: Run, schema: SchemaName, definitions: Iterable[JobDefinition[Any, Any]], max_payload_bytes: int
) -> None:
    """Store the definitions' schedules where they are not stored so already."""
    wanted = [
        (definition.name, schedule, definition.encode(schedule.data))
        for definition in definitions
        for schedule in definition.schedules
    ]
    for name, schedule in await run(declare(schema, wanted, max_payload_bytes)):
        logger.warning("%r of job %s has no occurrence left and is not stored any more", schedule, name)


def _dead_letters_first(definitions: Iterable[JobDefinition[Any, Any]]) -> Iterable[str]:
    """The queues of definitions and the dead letter queues they name, in an order in which they can be created."""
    needs: dict[str, set[str]] = {}
    for definition in definitions:
        dead_letter = definition.queue_options.dead_letter
        needs[definition.name] = {dead_letter} if isinstance(dead_letter, str) else set()
    try:
        return list(TopologicalSorter(needs).static_order())
    except CycleError as error:
        ring = " -> ".join(error.args[1])
        raise ConfigurationError(f"These queues are one another's dead letter queues, in a ring: {ring}.") from None
