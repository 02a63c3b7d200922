"""Failing deletes a row and inserts it again, so it must know every column."""

from __future__ import annotations

from pgboss.schema.manifest import JOB_TABLE, managed_columns
from pgboss.sql.fail import JOB_COLUMNS


def test_no_column_is_lost_when_a_job_fails() -> None:
    assert sorted(JOB_COLUMNS) == sorted(managed_columns(JOB_TABLE))
