"""Looking after the keys of ordered queues."""

from __future__ import annotations

from pgboss.core.checks import check_integer, text
from pgboss.core.query import Steps
from pgboss.core.queue import QueueCatalog
from pgboss.errors import ValidationError
from pgboss.operations.queues import find_queue
from pgboss.sql import keys as sql

MAX_KEYS = 100_000


def get_blocked_keys(catalog: QueueCatalog, name: str, *, limit: int, after: str | None) -> Steps[list[str]]:
    """The keys of an ordered queue that stand still because a job of theirs has failed, in the database's order.

    Raises:
        ValidationError: the queue has another policy, or an option is out of its range.
    """
    check_integer("limit", limit, 1, MAX_KEYS)
    if after is not None:
        text("after", after)
    queue = yield from find_queue(catalog, name)
    if queue.policy != "key_strict_fifo":
        raise ValidationError(
            f"Only queues with the policy key_strict_fifo have blocked keys; queue {name!r} has {queue.policy}."
        )
    return (yield sql.blocked(queue, after, limit)).column()
