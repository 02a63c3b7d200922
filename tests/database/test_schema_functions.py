"""The functions that Node calls by name, as ours do their work."""

from __future__ import annotations

import json
from typing import Any

import psycopg
import pytest

from pgboss.core.names import SchemaName, partition_table
from pgboss.operations.drift import detect_drift
from pgboss.operations.install import install
from support.operations import run_operation
from support.postgres import sql, sql_value

POLICIES = ["standard", "short", "singleton", "stately", "exclusive", "key_strict_fifo", "own invention"]


@pytest.fixture(autouse=True)
def _installed(database_url: str) -> None:
    run_operation(database_url, install(SchemaName()))


def create(url: str, name: str, **options: Any) -> None:
    sql(url, "SELECT pgboss.create_queue(%s, %s)", (name, json.dumps({"policy": "standard", **options})))


def queue(url: str, name: str) -> dict[str, Any] | None:
    rows = sql(url, "SELECT * FROM pgboss.queue WHERE name = %s", (name,))
    return rows[0] if rows else None


def tables(url: str) -> list[str]:
    rows = sql(url, "SELECT inhrelid::regclass::text AS name FROM pg_inherits WHERE inhparent = 'pgboss.job'::regclass")
    return sorted(row["name"].removeprefix("pgboss.") for row in rows)


def test_options_left_out_get_pg_bosss_defaults(database_url: str) -> None:
    create(database_url, "mail")

    row = queue(database_url, "mail")

    assert row is not None
    given = {key: value for key, value in row.items() if value is not None and not key.endswith(("_count", "_delta"))}
    assert given.pop("created_on") == given.pop("updated_on")
    assert given == {
        "name": "mail",
        "policy": "standard",
        "retry_limit": 2,
        "retry_delay": 0,
        "retry_backoff": False,
        "expire_seconds": 900,
        "retention_seconds": 1209600,
        "deletion_seconds": 604800,
        "partition": False,
        "table_name": "job_common",
        "warning_queued": 0,
        "ready_history": [],
        "notify": False,
    }


def test_every_option_reaches_its_column(database_url: str) -> None:
    create(database_url, "dead")
    options = {
        "retryLimit": 5,
        "retryDelay": 6,
        "retryBackoff": True,
        "retryDelayMax": 7,
        "expireInSeconds": 8,
        "retentionSeconds": 9,
        "deleteAfterSeconds": 10,
        "warningQueueSize": 11,
        "deadLetter": "dead",
        "heartbeatSeconds": 12,
        "notify": True,
        "unknown": "ignored",
    }
    create(database_url, "mail", **options)

    row = queue(database_url, "mail")

    assert row is not None
    columns = "retry_limit retry_delay retry_backoff retry_delay_max expire_seconds retention_seconds deletion_seconds"
    rest = "warning_queued dead_letter heartbeat_seconds notify"
    assert [row[column] for column in f"{columns} {rest}".split()] == list(options.values())[:-1]


def test_a_queue_that_exists_is_left_as_it_is(database_url: str) -> None:
    create(database_url, "mail", retryLimit=1)
    create(database_url, "mail", retryLimit=9, partition=True)

    row = queue(database_url, "mail")

    assert row is not None
    assert (row["retry_limit"], row["partition"], tables(database_url)) == (1, False, ["job_common"])


@pytest.mark.parametrize(
    ("options", "sqlstate"),
    [
        ({"policy": None}, "23502"),
        ({"retryLimit": 1.5}, "22P02"),
        ({"deadLetter": "nowhere"}, "23503"),
        ({"deadLetter": "mail"}, "23514"),
        ({"partition": "perhaps"}, "22P02"),
    ],
)
def test_what_the_row_cannot_hold_is_refused(database_url: str, options: dict[str, Any], sqlstate: str) -> None:
    with pytest.raises(psycopg.Error) as error:
        create(database_url, "mail", **options)

    assert error.value.sqlstate == sqlstate
    assert queue(database_url, "mail") is None


@pytest.mark.parametrize("policy", POLICIES)
def test_a_queue_of_its_own_table_comes_and_goes(database_url: str, policy: str) -> None:
    create(database_url, "mail", policy=policy, partition=True)
    leaf = partition_table("mail")
    sql(database_url, "INSERT INTO pgboss.job (name, policy, singleton_key) VALUES ('mail', %s, 'a')", (policy,))

    assert tables(database_url) == sorted(["job_common", leaf])
    assert sql_value(database_url, f"SELECT count(*) FROM pgboss.{leaf}") == 1
    assert run_operation(database_url, detect_drift(SchemaName())) == []

    sql(database_url, "SELECT pgboss.delete_queue('mail')")

    assert tables(database_url) == ["job_common"]
    assert queue(database_url, "mail") is None


def test_deleting_a_queue_takes_its_jobs_and_nobody_elses(database_url: str) -> None:
    for name in ("mail", "post"):
        create(database_url, name)
        sql(database_url, "INSERT INTO pgboss.job (name) VALUES (%s)", (name,))
        sql(database_url, "INSERT INTO pgboss.schedule (name, cron) VALUES (%s, '* * * * *')", (name,))
        sql(database_url, "INSERT INTO pgboss.subscription (event, name) VALUES ('e', %s)", (name,))

    sql(database_url, "SELECT pgboss.delete_queue('mail')")

    for table in ("queue", "job", "schedule", "subscription"):
        assert sql(database_url, f"SELECT name FROM pgboss.{table}") == [{"name": "post"}]


def test_deleting_an_unknown_queue_is_no_error(database_url: str) -> None:
    sql(database_url, "SELECT pgboss.delete_queue('nobody')")


def test_the_shared_table_is_never_dropped(database_url: str) -> None:
    create(database_url, "mail")
    sql(database_url, "UPDATE pgboss.queue SET partition = true")

    sql(database_url, "SELECT pgboss.delete_queue('mail')")

    assert tables(database_url) == ["job_common"]


def test_commands_are_rewritten_for_a_table(database_url: str) -> None:
    command = "CREATE INDEX job_i15 ON pgboss.job (name); SELECT job_i, my.job_common, x.jobs, s.job, job_i2 FROM job"

    assert sql_value(database_url, "SELECT pgboss.job_table_format(%s, 'Mail')", (command,)) == (
        'CREATE INDEX Mail_i15 ON pgboss."Mail" (name); SELECT job_i, my.job_common, x.jobs, s."Mail", Mail_i2 FROM job'
    )
    with pytest.raises(psycopg.errors.InvalidParameterValue):
        sql(database_url, "SELECT pgboss.job_table_format('SELECT 5 % 2', 'Mail')")


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ("", ["job_common", "jmail"]),
        (", tbl_name => 'job_common'", ["job_common"]),
        (", queue_name => 'mail'", ["jmail"]),
        (", queue_name => 'post'", ["job_common"]),
        (", tbl_name => 'job_common', queue_name => 'mail'", ["jmail"]),
        (", queue_name => 'nobody'", ["job_common", "jmail"]),
    ],
)
def test_a_command_runs_on_the_tables_it_is_meant_for(database_url: str, target: str, expected: list[str]) -> None:
    create(database_url, "mail", partition=True)
    create(database_url, "post")
    names = {"jmail": partition_table("mail")}
    expected_tables = sorted(names.get(name, name) for name in expected)

    sql(database_url, f"SELECT pgboss.job_table_run('CREATE INDEX job_i99 ON pgboss.job (data)'{target})")
    sql(database_url, f"SELECT pgboss.job_table_run_async('later', 47, 'ANALYZE pgboss.job'{target})")

    done = sql(database_url, "SELECT relname AS name FROM pg_class WHERE relname LIKE '%\\_i99'")
    later = sql(database_url, "SELECT * FROM pgboss.bam")
    assert sorted(row["name"].removesuffix("_i99") for row in done) == expected_tables
    assert sorted(row["table_name"] for row in later) == expected_tables
    for row in later:
        assert (row["name"], row["version"], row["status"]) == ("later", 47, "pending")
        assert row["command"].replace('"', "") == f"ANALYZE pgboss.{row['table_name']}"


def test_a_put_off_command_remembers_its_queue(database_url: str) -> None:
    create(database_url, "mail", partition=True)

    sql(database_url, "SELECT pgboss.job_table_run_async('all', 47, 'ANALYZE pgboss.job')")
    sql(database_url, "SELECT pgboss.job_table_run_async('one', 47, 'ANALYZE pgboss.job', queue_name => 'mail')")
    sql(database_url, "SELECT pgboss.job_table_run_async('table', 47, 'ANALYZE pgboss.job', 'job_common')")

    rows = sql(database_url, "SELECT name, queue FROM pgboss.bam ORDER BY name, queue")
    assert [(row["name"], row["queue"]) for row in rows] == [
        ("all", "mail"),
        ("all", None),
        ("one", "mail"),
        ("table", None),
    ]


def test_the_clock_is_read_once_a_transaction_and_costs_no_call(database_url: str) -> None:
    assert sql_value(database_url, "SELECT pgboss.job_now() = now()")
    plan = sql(database_url, "EXPLAIN (VERBOSE, COSTS OFF) SELECT pgboss.job_now() FROM pgboss.version")
    assert "Output: now()" in str(plan)
