"""Deleting in batches: what becomes of one that ends in a deadlock."""

from __future__ import annotations

from typing import Any

import pytest

from pgboss.core.names import SchemaName
from pgboss.core.query import Atomic, Query, Rows
from pgboss.core.queue import QueueCatalog
from pgboss.core.sqlstate import DEADLOCK_DETECTED
from pgboss.errors import DatabaseError
from pgboss.operations.deletes import PAUSES_SECONDS, delete_jobs

QUEUE = Rows(("policy", "table_name", "notify"), [("standard", "job_common", False)])
DELETED = Rows(("last_id", "deleted", "deleted_retained"), [(None, 3, 0)])
PAUSED = Rows()
DEADLOCK = DatabaseError("deadlock detected", sqlstate=DEADLOCK_DETECTED)
FAILED = DatabaseError("current transaction is aborted", sqlstate="25P02")


def delete(batches: list[Rows | DatabaseError], pauses: Rows | DatabaseError = PAUSED) -> tuple[Any, int]:
    """Delete all jobs of a queue; returns how many went, and how many pauses there were."""
    steps, paused = delete_jobs(QueueCatalog(SchemaName()), "mail", "all", counting=False), 0
    step = next(steps)
    answer: Rows | DatabaseError = QUEUE
    try:
        while True:
            step = steps.throw(answer) if isinstance(answer, DatabaseError) else steps.send(answer)
            if isinstance(step, Atomic):
                answer = batches.pop(0)
            else:
                assert isinstance(step, Query)
                assert "pg_sleep" in step.sql
                answer, paused = pauses, paused + 1
    except StopIteration as stop:
        return stop.value, paused


def test_a_batch_that_ended_in_a_deadlock_is_tried_again() -> None:
    assert delete([DEADLOCK, DEADLOCK, DELETED]) == (3, 2)


def test_not_for_ever() -> None:
    with pytest.raises(DatabaseError, match="deadlock"):
        delete([DEADLOCK] * (len(PAUSES_SECONDS) + 1))


def test_a_callers_transaction_is_over_with_it() -> None:
    with pytest.raises(DatabaseError, match="deadlock"):
        delete([DEADLOCK], pauses=FAILED)


def test_any_other_error_ends_it() -> None:
    with pytest.raises(DatabaseError, match="aborted"):
        delete([FAILED])
