"""What the statements of sending and updating ask of the connection that runs them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from pgboss.core.names import SchemaName
from pgboss.core.options import SendOptions, UpdateOptions
from pgboss.core.query import Query, Steps
from pgboss.operations.send import NewJob, insert, send
from pgboss.operations.update import update, upsert

SCHEMA = SchemaName()
MIB = 1024 * 1024


def first_statement(steps: Steps[Any]) -> Query:
    statement = next(steps)
    steps.close()
    assert isinstance(statement, Query)
    return statement


def statements(start_after: Any) -> list[Query]:
    """The first statement of every call that takes a start time."""
    send_options = SendOptions(start_after=start_after)
    update_options = UpdateOptions(singleton_key="k", start_after=start_after)
    jobs = [NewJob(), NewJob(1, send_options)]
    return [
        first_statement(send(SCHEMA, "jobs", None, send_options, MIB)),
        first_statement(insert(SCHEMA, "jobs", jobs, MIB, return_ids=False)),
        first_statement(update(SCHEMA, "jobs", None, update_options, MIB)),
        first_statement(iter(upsert(SCHEMA, "jobs", None, update_options, MIB))),
    ]


@pytest.mark.parametrize("start_after", [5, 1.5, timedelta(hours=1), datetime(2030, 1, 2, tzinfo=UTC)])
def test_a_start_that_is_surely_readable_needs_no_savepoint(start_after: Any) -> None:
    assert [query.guarded for query in statements(start_after)] == [False] * 4


@pytest.mark.parametrize("start_after", ["5 minutes", "hello", "2030-01-02"])
def test_a_start_in_words_gets_one(start_after: str) -> None:
    assert [query.guarded for query in statements(start_after)] == [True] * 4


def test_an_ordinary_send_is_one_statement_without_a_savepoint() -> None:
    assert not first_statement(send(SCHEMA, "jobs", {"a": 1}, SendOptions(priority=1), MIB)).guarded


def test_only_a_debounced_send_has_a_second_try() -> None:
    throttled = SendOptions(singleton_seconds=60)
    debounced = SendOptions(singleton_seconds=60, singleton_next_slot=True)
    assert first_statement(send(SCHEMA, "jobs", None, throttled, MIB)).sql.count("INSERT INTO") == 1
    assert first_statement(send(SCHEMA, "jobs", None, debounced, MIB)).sql.count("INSERT INTO") == 2
