"""Jobs made from rows, and the select lists that the rows answer."""

from __future__ import annotations

import re
from dataclasses import Field, FrozenInstanceError, fields, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from pgboss.core.job import (
    Attempt,
    Job,
    JobDetails,
    Settled,
    detail_columns,
    details_from,
    job_columns,
    jobs_from,
)
from pgboss.core.names import SchemaName
from pgboss.core.query import Rows
from pgboss.core.wire import Unreadable

NOW = datetime(2030, 1, 2, tzinfo=UTC)

VALUES: dict[str, Any] = {
    "id": UUID(int=1),
    "name": "document-parse",
    "data": '{"snake_case": 1, "camelCase": [2]}',
    "priority": 5,
    "retry_count": 1,
    "retry_limit": 3,
    "expire_in_seconds": 900,
    "heartbeat_seconds": 60,
    "group_id": "g",
    "group_tier": "t",
    "singleton_key": "k",
    "created_on": NOW,
    "started_on": NOW + timedelta(seconds=1),
    "state": "completed",
    "output": '{"value": 7}',
    "start_after": NOW,
    "completed_on": NOW + timedelta(seconds=3),
    "keep_until": NOW + timedelta(days=14),
    "heartbeat_on": None,
    "retry_delay": 1,
    "retry_backoff": True,
    "retry_delay_max": None,
    "delete_after_seconds": 604800,
    "policy": "standard",
    "dead_letter": None,
    "singleton_on": None,
    "blocked": False,
    "blocking": False,
    "pending_dependencies": 0,
    "source_name": None,
    "source_id": None,
    "source_created_on": None,
    "source_retry_count": None,
    "source_output": '{"message": "no"}',
    "source_root_id": None,
}


def stored(noun: type[Any]) -> list[Field[Any]]:
    """The fields of which a row has a column each."""
    return [field for field in fields(noun) if field.metadata.get("selected", True)]


def row(noun: type[Any], **changes: object) -> tuple[Any, ...]:
    return tuple((VALUES | changes)[field.name] for field in stored(noun))


def one_job(**changes: object) -> Job:
    return jobs_from(Rows(values=[row(Job, **changes)]))[0]


def one_detail(**changes: object) -> JobDetails:
    return details_from(Rows(values=[row(JobDetails, **changes)]))[0]


def test_the_select_list_names_the_columns_of_the_table() -> None:
    assert job_columns(SchemaName(), "j") == (
        "j.id, j.name, j.data::text, j.priority, j.retry_count, j.retry_limit, j.expire_seconds, j.heartbeat_seconds, "
        "j.group_id, j.group_tier, j.singleton_key, j.created_on, j.started_on"
    )


def test_details_select_all_of_a_job_first_and_json_as_text() -> None:
    # Commas within brackets belong to one column.
    columns = re.split(r", (?![^(]*\))", detail_columns(SchemaName(), "t"))
    first = job_columns(SchemaName(), "t").split(", ")
    assert columns[: len(first)] == first
    assert len(columns) == len(stored(JobDetails)) == len(set(columns))
    assert {column for column in columns if column.endswith("::text")} == {
        "t.data::text",
        "t.state::text",
        "t.output::text",
        "t.source_output::text",
    }
    assert "t.deletion_seconds" in columns


def test_a_row_becomes_a_job_field_by_field() -> None:
    job = one_job()
    expected = {field.name: VALUES[field.name] for field in stored(Job)}
    assert {field.name: getattr(job, field.name) for field in stored(Job)} == expected | {
        "data": {"snake_case": 1, "camelCase": [2]}
    }


def test_a_row_becomes_details_field_by_field() -> None:
    details = one_detail()
    expected = VALUES | {
        "data": {"snake_case": 1, "camelCase": [2]},
        "output": {"value": 7},
        "source_output": {"message": "no"},
    }
    assert {field.name: getattr(details, field.name) for field in stored(JobDetails)} == expected


def test_null_data_is_none() -> None:
    assert one_job(data=None).data is None


def test_a_row_that_python_cannot_read_leaves_its_neighbours_alone() -> None:
    rows = Rows(values=[row(Job), row(Job, data="[" * 100_000 + "]" * 100_000), row(Job)])
    first, second, third = jobs_from(rows)
    assert isinstance(second.data, Unreadable)
    assert first.data == third.data == {"snake_case": 1, "camelCase": [2]}


def test_no_rows_are_no_jobs() -> None:
    assert jobs_from(Rows()) == []
    assert details_from(Rows()) == []


def test_jobs_cannot_be_changed() -> None:
    with pytest.raises(FrozenInstanceError):
        one_job().name = "other"  # type: ignore[misc]  # refused statically too, which is the point


@pytest.mark.parametrize(("count", "last"), [(0, False), (2, False), (3, True), (4, True)])
def test_the_last_attempt_is_the_one_that_uses_up_the_limit(count: int, last: bool) -> None:
    assert one_job(retry_count=count).is_last_attempt is last


def test_the_duration_is_known_once_the_job_is_over() -> None:
    assert one_detail().duration == timedelta(seconds=2)
    assert one_detail(completed_on=None).duration is None
    assert one_detail(started_on=None).duration is None


def test_an_attempt_is_told_from_others_by_its_start_as_well() -> None:
    job = one_job()
    given_back_and_claimed_again = replace(job, started_on=NOW + timedelta(seconds=9))
    assert Attempt.of(job) == Attempt(UUID(int=1), 1, NOW + timedelta(seconds=1))
    assert Attempt.of(job) != Attempt.of(given_back_and_claimed_again)


def test_settled_counts_what_was_changed() -> None:
    assert Settled((UUID(int=1), UUID(int=2)), (UUID(int=2),)).affected == 1
    assert Settled((UUID(int=1),), ()).affected == 0
