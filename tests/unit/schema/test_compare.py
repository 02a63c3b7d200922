"""Comparing catalogs, without a database: what is found, and what is kept quiet because something else implies it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from pgboss.core.names import SchemaName
from pgboss.schema.catalog import Catalog, Column, Constraint, Function, Index, PartitionedQueue, Table
from pgboss.schema.compare_functions import compare_functions, compare_states
from pgboss.schema.compare_tables import compare_tables
from pgboss.schema.findings import Finding
from pgboss.schema.manifest import expected_catalog, job_states
from pgboss.schema.texts import MANAGED_FUNCTIONS, OWN_FUNCTIONS, managed_expression, own_source

SCHEMA = SchemaName()
QUEUE = PartitionedQueue("mail", "short", "jmail")
WANTED = expected_catalog("pgboss", [QUEUE])


def altered(name: str, **changes: Any) -> dict[str, Table]:
    return {**WANTED.tables, name: replace(WANTED.tables[name], **changes)}


def without(items: Mapping[str, Any], name: str) -> dict[str, Any]:
    return {key: item for key, item in items.items() if key != name}


def tables(found: Mapping[str, Table], builds: list[str] | None = None) -> list[Finding]:
    return list(compare_tables("pgboss", WANTED.tables, found, builds or []))


def functions(**changes: str | None) -> Catalog:
    """The live functions, ours, with other bodies where one is given, and without those that are ``None``."""
    live = {}
    for name in (*OWN_FUNCTIONS, *MANAGED_FUNCTIONS):
        own = name in OWN_FUNCTIONS
        body = own_source(SCHEMA, name) if own else f"RETURN {managed_expression(SCHEMA, name)}\n"
        given = changes.get(name, body)
        if given is not None:
            live[name] = (replace(WANTED.functions[name][0], body=given),)
    return Catalog(WANTED.tables, live, WANTED.states)


def kinds(findings: list[Finding]) -> list[tuple[str, str]]:
    return [(finding.kind, finding.object) for finding in findings]


def test_what_is_as_expected_is_no_finding() -> None:
    assert tables(WANTED.tables) == []
    assert list(compare_functions(SCHEMA, WANTED, functions())) == []
    assert list(compare_states(SCHEMA, job_states(), job_states())) == []


def test_the_order_of_columns_does_not_matter() -> None:
    columns = WANTED.tables["queue"].columns

    assert tables(altered("queue", columns=dict(reversed(list(columns.items()))))) == []


def test_a_partition_follows_its_policy_and_its_queue() -> None:
    table = WANTED.tables["jmail"]

    assert "jmail_i1" in table.indexes
    assert "jmail_i2" not in table.indexes
    assert table.bound == "FOR VALUES IN ('mail')"
    assert table.constraints["cjc"].definition == "CHECK ((name = 'mail'::text))"


def test_a_policy_nobody_knows_adds_nothing() -> None:
    plain = expected_catalog("pgboss", [PartitionedQueue("a", "standard", "ja")]).tables["ja"]
    odd = expected_catalog("pgboss", [PartitionedQueue("a", "own invention", "ja")]).tables["ja"]

    assert odd == plain


def test_a_missing_table_is_made_with_all_that_belongs_to_it() -> None:
    [finding] = tables(without(WANTED.tables, "jmail"))

    assert kinds([finding]) == [("missing table", "jmail")]
    assert finding.mend[0].startswith('CREATE TABLE pgboss."jmail" (\n  "id" uuid DEFAULT gen_random_uuid() NOT NULL,')
    assert "PRIMARY KEY" in finding.mend[1]
    assert finding.mend[-1] == """ALTER TABLE pgboss."job" ATTACH PARTITION pgboss."jmail" FOR VALUES IN ('mail');"""
    assert len([statement for statement in finding.mend if " INDEX " in statement]) == 11


def test_what_partitions_inherit_is_reported_once() -> None:
    found = {
        name: replace(table, columns=without(table.columns, "trace_context"))
        if "trace_context" in table.columns
        else table
        for name, table in WANTED.tables.items()
    }

    [finding] = tables(found)

    assert kinds([finding]) == [("missing column", "job.trace_context")]
    assert finding.mend == ('ALTER TABLE pgboss."job" ADD COLUMN "trace_context" jsonb;',)


def test_a_default_of_one_partition_alone_is_reported_there() -> None:
    columns = WANTED.tables["jmail"].columns
    changed = {**columns, "priority": replace(columns["priority"], default="7")}

    [finding] = tables(altered("jmail", columns=changed))

    assert kinds([finding]) == [("different column", "jmail.priority")]
    assert finding.mend == ('ALTER TABLE pgboss."jmail" ALTER COLUMN "priority" SET DEFAULT 0;',)


def test_a_column_may_differ_in_several_ways() -> None:
    columns = WANTED.tables["queue"].columns
    changed = {**columns, "notify": Column("notify", "text", False, None)}

    [finding] = tables(altered("queue", columns=changed))

    assert finding.detail == "It is of type text instead of boolean and it may be NULL."
    assert finding.mend == (
        'ALTER TABLE pgboss."queue" ALTER COLUMN "notify" DROP DEFAULT;',
        'ALTER TABLE pgboss."queue" ALTER COLUMN "notify" TYPE boolean USING "notify"::boolean;',
        'ALTER TABLE pgboss."queue" ALTER COLUMN "notify" SET DEFAULT false;',
        'ALTER TABLE pgboss."queue" ALTER COLUMN "notify" SET NOT NULL;',
    )


def test_dropping_an_extra_column_is_said_to_lose_data() -> None:
    columns = {**WANTED.tables["queue"].columns, "colour": Column("colour", "text", False, None)}

    [finding] = tables(altered("queue", columns=columns))

    assert kinds([finding]) == [("extra column", "queue.colour")]
    assert finding.loses_data
    assert not finding.note


@pytest.mark.parametrize(("table", "note"), [("queue", False), ("job_common", True)])
def test_an_extra_constraint_is_drift_where_node_thinks_so(table: str, note: bool) -> None:
    extra = {"mine": Constraint("mine", "c", "CHECK ((name <> ''::text))")}

    [finding] = tables(altered(table, constraints={**WANTED.tables[table].constraints, **extra}))

    assert (finding.kind, finding.note, bool(finding.mend)) == ("extra constraint", note, not note)


def test_a_constraint_under_another_name_is_a_note() -> None:
    constraints = WANTED.tables["queue"].constraints
    check = constraints["queue_check"]
    renamed = {**without(constraints, "queue_check"), "old_check": replace(check, name="old_check")}

    [finding] = tables(altered("queue", constraints=renamed))

    assert (finding.kind, finding.object, finding.note) == ("renamed constraint", "queue.queue_check", True)


def test_an_index_that_pg_boss_is_building_is_left_to_it() -> None:
    found = altered("job_common", indexes=without(WANTED.tables["job_common"].indexes, "job_common_i15"))
    build = "CREATE INDEX CONCURRENTLY IF NOT EXISTS job_common_i15 ON pgboss.job_common (name, created_on)"

    [finding] = tables(found, [build])

    assert (finding.kind, finding.note, finding.mend) == ("building index", True, ())
    assert kinds(tables(found)) == [("missing index", "job_common_i15")]


def test_indexes_of_plain_tables_are_built_beside_writers_and_those_of_partitioned_ones_for_all_partitions() -> None:
    def broken(table: str, index: str) -> dict[str, Table]:
        indexes = WANTED.tables[table].indexes
        return altered(table, indexes={**indexes, index: replace(indexes[index], valid=False)})

    [plain] = tables(broken("job_common", "job_common_i4"))
    [partitioned] = tables(broken("queue_stats", "queue_stats_i1"))

    assert plain.mend[0] == 'DROP INDEX CONCURRENTLY pgboss."job_common_i4";'
    assert plain.mend[1].startswith("CREATE UNIQUE INDEX CONCURRENTLY job_common_i4 ON pgboss.job_common ")
    assert partitioned.mend[0] == 'DROP INDEX pgboss."queue_stats_i1";'
    assert partitioned.mend[1].startswith("CREATE INDEX queue_stats_i1 ON pgboss.queue_stats ")


def test_what_is_merely_extra_is_a_note() -> None:
    job_common = WANTED.tables["job_common"]
    extra = Index("mine", "CREATE INDEX mine ON pgboss.job_common USING btree (data)")
    found = altered("job_common", indexes={**job_common.indexes, "mine": extra}, triggers=("audit",), row_security=True)
    found["jgone"] = replace(WANTED.tables["jmail"], name="jgone", bound="FOR VALUES IN ('gone')")
    found["customers"] = Table("customers")

    findings = tables(found)

    assert kinds(findings) == [
        ("extra index", "mine"),
        ("row security", "job_common"),
        ("extra trigger", "job_common.audit"),
        ("stray partition", "jgone"),
    ]
    assert all(finding.note and not finding.mend for finding in findings)


def test_a_wrapper_may_be_written_for_postgres_13() -> None:
    plain = {name: f" SELECT {managed_expression(SCHEMA, name)} " for name in MANAGED_FUNCTIONS}

    assert list(compare_functions(SCHEMA, WANTED, functions(**plain))) == []


def test_a_wrapper_that_calls_the_wrong_way_round_is_found() -> None:
    swapped = 'RETURN "pgboss".py_job_table_format(table_name, command)'

    [finding] = compare_functions(SCHEMA, WANTED, functions(job_table_format=swapped))

    assert kinds([finding]) == [("different function", "job_table_format()")]


def test_functions_of_ours_are_mended_before_those_that_call_them() -> None:
    gone: dict[str, None] = {"py_job_indexes": None, "py_create_queue": None, "create_queue": None}

    findings = list(compare_functions(SCHEMA, WANTED, functions(**gone)))

    assert kinds(findings) == [
        ("missing function", "py_job_indexes()"),
        ("missing function", "py_create_queue()"),
        ("missing function", "create_queue()"),
    ]


def test_a_changed_body_of_ours_is_found() -> None:
    body = own_source(SCHEMA, "py_delete_queue").replace("DROP TABLE", "TRUNCATE TABLE")

    [finding] = compare_functions(SCHEMA, WANTED, functions(py_delete_queue=body))

    assert kinds([finding]) == [("different function", "py_delete_queue()")]


def test_an_overload_is_found_and_named() -> None:
    live = functions()
    overload = Function("job_now", "zone text", "zone text", "timestamp with time zone", "s", "SELECT now()")
    found = replace(live, functions={**live.functions, "job_now": (*live.functions["job_now"], overload)})

    [finding] = compare_functions(SCHEMA, WANTED, found)

    assert finding.kind == "overloaded function"
    assert finding.mend == ('DROP FUNCTION "pgboss"."job_now"(zone text);',)


def test_another_signature_is_replaced_not_overloaded() -> None:
    live = functions()
    other = replace(WANTED.functions["delete_queue"][0], returns="integer", body="SELECT 1")
    found = replace(live, functions={**live.functions, "delete_queue": (other,)})

    [finding] = compare_functions(SCHEMA, WANTED, found)

    assert finding.kind == "different function"
    assert finding.mend[0] == 'DROP FUNCTION "pgboss"."delete_queue"(queue_name text);'
    assert "CREATE OR REPLACE FUNCTION" in finding.mend[1]


@pytest.mark.parametrize(
    ("found", "mend"),
    [
        (
            ("created", "retry", "active", "completed", "cancelled"),
            ("""ALTER TYPE "pgboss"."job_state" ADD VALUE 'failed' AFTER 'cancelled';""",),
        ),
        (
            ("active", "completed", "cancelled", "failed"),
            (
                """ALTER TYPE "pgboss"."job_state" ADD VALUE 'created' BEFORE 'active';""",
                """ALTER TYPE "pgboss"."job_state" ADD VALUE 'retry' AFTER 'created';""",
            ),
        ),
        (("retry", "created", "active", "completed", "cancelled", "failed"), ()),
        (("created", "retry", "active", "completed", "cancelled", "failed", "lost"), ()),
    ],
)
def test_states_can_be_added_but_neither_moved_nor_removed(found: tuple[str, ...], mend: tuple[str, ...]) -> None:
    [finding] = compare_states(SCHEMA, job_states(), found)

    assert finding.kind == "different type"
    assert finding.mend == mend
    assert ("cannot" in finding.detail) == (not mend)
