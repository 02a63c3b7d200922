"""What is said and done about a schema at start, decided from what the catalog shows; no database needed."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from pgboss.core.names import SchemaName
from pgboss.core.query import Atomic, Query, Rows, Script, Statement
from pgboss.errors import DatabaseError, SchemaError, SchemaMissingError, SchemaVersionError
from pgboss.operations.install import SchemaState, ensure, install, uninstall
from pgboss.schema.history import lacking, require
from pgboss.schema.manifest import job_states, managed_columns, managed_tables
from pgboss.schema.texts import MANAGED_FUNCTIONS


def whole() -> dict[str, list[str]]:
    return {table: list(managed_columns(table)) for table in managed_tables()}


@dataclass(frozen=True)
class Database:
    """A database as the catalog shows it, and the statements that were run on it."""

    columns: dict[str, list[str]] = field(default_factory=whole)
    versions: tuple[int, ...] = (46,)
    functions: tuple[str, ...] = MANAGED_FUNCTIONS
    states: tuple[str, ...] = job_states()
    partitioned: bool | None = True
    exists: bool = True
    may_use: bool | None = True
    may_create: bool | None = True
    may_create_schema: bool = True
    variants: tuple[str, ...] = ()
    errors: dict[str, str] = field(default_factory=dict)
    seen: list[Statement] = field(default_factory=list)

    def run(self, operation: Atomic[Any]) -> Any:
        steps: Any = operation.steps
        statement = next(steps)
        try:
            while True:
                statement = self._throw_or_send(steps, statement)
        except StopIteration as stop:
            return stop.value

    def _throw_or_send(self, steps: Any, statement: Statement) -> Statement:
        self.seen.append(statement)
        for text, sqlstate in self.errors.items():
            if text in statement.sql:
                failed: Statement = steps.throw(DatabaseError(f"error {sqlstate}", sqlstate=sqlstate))
                return failed
        following: Statement = steps.send(self._answer(statement.sql))
        return following

    def _answer(self, sql: str) -> Rows:
        if "AS may_create_schema" in sql:
            return Rows(*self._presence())
        if "SELECT version FROM" in sql:
            return Rows(("version",), [(version,) for version in self.versions])
        if "current_database()::text" in sql:
            return Rows(("current_database",), [("app",)])
        if "lower(n.nspname)" in sql:
            return Rows(("name",), [(name,) for name in self.variants])
        return Rows()

    def _presence(self) -> tuple[tuple[str, ...], list[tuple[Any, ...]]]:
        row = {
            "role": "app",
            "schema_exists": self.exists,
            "may_use": self.may_use,
            "may_create_in_schema": self.may_create,
            "may_create_schema": self.may_create_schema,
            "version_readable": self.may_use,
            "partitioned": self.partitioned,
            "states": list(self.states),
            "functions": list(self.functions),
            "columns": [f"{table}.{column}" for table, columns in self.columns.items() for column in columns],
        }
        return tuple(row), [tuple(row.values())]

    @property
    def changes(self) -> list[str]:
        """The statements that change the database for good."""
        return [
            statement.sql
            for statement in self.seen
            if isinstance(statement, Script) or statement.sql.startswith("CREATE")
        ]


def empty(**changes: Any) -> Database:
    nothing: dict[str, list[str]] = {}
    return replace(
        Database(columns=nothing, versions=(), functions=(), states=(), partitioned=None, exists=False), **changes
    )


def test_an_installed_schema_is_only_read() -> None:
    database = Database(may_create=False, may_create_schema=False)

    state = database.run(ensure(SchemaName()))

    assert state == SchemaState(version=46, installed=False, partitioned=True)
    assert (state.current, state.warning) == (True, None)
    assert database.changes == []
    assert not any("advisory" in statement.sql for statement in database.seen)


def test_an_empty_database_gets_the_schema_under_the_lock() -> None:
    database = empty()

    state = database.run(ensure(SchemaName()))

    assert state == SchemaState(version=46, installed=True, partitioned=True)
    create, ddl = database.changes
    assert create == 'CREATE SCHEMA "pgboss"'
    assert 'CREATE TABLE "pgboss".job (' in ddl
    [lock] = [statement for statement in database.seen if "pg_advisory_xact_lock" in statement.sql]
    assert isinstance(lock, Query)
    assert lock.parameters == (SchemaName().lock_key("app", ""),)
    assert database.seen.index(lock) < database.seen.index(Query(create))


def test_the_isolation_level_is_set_before_anything_is_read() -> None:
    for operation in (ensure(SchemaName()), install(SchemaName())):
        database = Database()
        database.run(operation)
        assert database.seen[0] == Query("SET TRANSACTION ISOLATION LEVEL READ COMMITTED")


def test_installing_what_is_installed_changes_nothing() -> None:
    database = Database()

    assert database.run(install(SchemaName())) == SchemaState(version=46, installed=False, partitioned=True)
    assert database.changes == []


def test_without_migrate_nothing_is_installed() -> None:
    database = empty()

    with pytest.raises(SchemaMissingError, match="pgboss migrate"):
        database.run(ensure(SchemaName(), migrate=False))
    assert database.changes == []


def at(version: int) -> dict[str, Any]:
    """What there is of the schema in an older version."""
    missing = lacking(version)
    return {
        "versions": (version,),
        "columns": {
            table: [column for column in columns if f"{table}.{column}" not in missing]
            for table, columns in whole().items()
            if table not in missing
        },
        "functions": tuple(name for name in MANAGED_FUNCTIONS if f"{name}()" not in missing),
    }


@pytest.mark.parametrize("version", [25, 35])
def test_a_schema_too_old_to_work_on_is_left_alone_and_the_command_is_named(version: int) -> None:
    database = Database(**at(version))

    with pytest.raises(SchemaVersionError, match=r"from 36 .*: pgboss migrate --schema 'pgboss'") as error:
        database.run(ensure(SchemaName()))
    assert (error.value.installed, error.value.expected) == (version, 46)
    assert database.changes == []


@pytest.mark.parametrize("version", range(36, 46))
def test_an_older_schema_is_worked_on_as_it_is(version: int) -> None:
    database = Database(**at(version))

    state = database.run(ensure(SchemaName()))

    assert (state.version, state.current, state.may_sweep) == (version, False, True)
    assert f"at version {version} (npm pg-boss 12." in state.warning
    assert database.changes == []
    schema = state.found_in(SchemaName())
    assert schema == SchemaName()
    assert (schema.version, schema.has("job.upsert_by_key"), schema.has("job.priority")) == (
        version,
        version > 44,
        True,
    )
    assert schema.now == ("pg_catalog.now()" if version < 42 else '"pgboss".job_now()')


def test_an_older_schema_without_what_its_version_has_is_refused() -> None:
    found = at(40)
    found["columns"]["queue"].remove("notify")

    with pytest.raises(SchemaVersionError, match=r"version 40.*lacks queue\.notify\. It was installed halfway"):
        Database(**found).run(ensure(SchemaName()))


def test_what_waits_for_a_later_version_says_for_which() -> None:
    old = SchemaName("jobs").at(40, lacking(40))

    require(old, "queue.monitor_claim_on", "Counting")
    with pytest.raises(
        SchemaVersionError, match=r"^Upserts need job\.upsert_by_key.*12\.37.*jobs is at version 40"
    ) as error:
        require(old, "job.upsert_by_key", "Upserts")
    assert (error.value.installed, error.value.expected) == (40, 45)


def test_a_schema_older_than_any_upgrade_says_so() -> None:
    with pytest.raises(SchemaVersionError, match="from below version 25"):
        Database(versions=(24,)).run(ensure(SchemaName()))


def test_a_newer_schema_is_worked_with_but_not_supervised() -> None:
    columns = whole() | {"job": [*managed_columns("job"), "invented_in_47"]}
    database = Database(versions=(47,), columns=columns, states=("created", "new", *job_states()[1:]))

    state = database.run(ensure(SchemaName()))

    assert (state.version, state.current, state.may_sweep) == (47, False, False)
    assert "newer than version 46" in state.warning


@pytest.mark.parametrize(
    ("changes", "lacks"),
    [
        ({"columns": whole() | {"job": ["id", "name"]}}, "job.priority"),
        ({"columns": whole() | {"queue": [c for c in managed_columns("queue") if c != "notify"]}}, "queue.notify"),
        ({"functions": ("create_queue",)}, r"job_now\(\)"),
        ({"states": tuple(reversed(job_states()))}, "job states in their order"),
    ],
)
def test_a_newer_schema_without_what_we_use_is_refused(changes: dict[str, Any], lacks: str) -> None:
    database = Database(versions=(47,), **changes)

    with pytest.raises(SchemaVersionError, match=f"lacks .*{lacks}.*Upgrade the Python package") as error:
        database.run(ensure(SchemaName()))
    assert error.value.installed == 47


def test_a_newer_schema_may_lack_what_only_supervision_uses() -> None:
    columns = {table: names for table, names in whole().items() if table not in {"warning", "bam"}}

    assert Database(versions=(47,), columns=columns).run(ensure(SchemaName())).version == 47


@pytest.mark.parametrize(("versions", "many"), [((), "no row"), ((46, 46), "more than one row")])
def test_a_version_table_needs_exactly_one_row(versions: tuple[int, ...], many: str) -> None:
    with pytest.raises(SchemaError, match=f"has {many}.*pgboss doctor"):
        Database(versions=versions).run(ensure(SchemaName()))


def test_tables_without_a_version_are_half_an_installation() -> None:
    columns = {table: names for table, names in whole().items() if table in {"queue", "job"}}

    with pytest.raises(SchemaError, match="no version table but has job, queue"):
        Database(columns=columns).run(ensure(SchemaName()))


def test_what_is_missing_is_listed() -> None:
    columns = {table: names for table, names in whole().items() if table != "instance"}
    functions = tuple(name for name in MANAGED_FUNCTIONS if name != "delete_queue")

    with pytest.raises(SchemaError, match=r"lacks function delete_queue, table instance.*pgboss doctor"):
        Database(columns=columns, functions=functions).run(ensure(SchemaName()))


def test_a_schema_without_partitions_needs_no_shared_partition() -> None:
    columns = {table: names for table, names in whole().items() if table != "job_common"}
    functions = ("job_now", "create_queue", "delete_queue")

    state = Database(columns=columns, functions=functions, partitioned=False).run(ensure(SchemaName()))

    assert state.partitioned is False


def test_a_version_table_of_somebody_else_is_recognised() -> None:
    with pytest.raises(SchemaError, match="is not pg-boss's"):
        Database(columns={"version": ["major", "minor"]}).run(ensure(SchemaName("public")))


def test_a_role_that_may_not_read_is_told_what_to_grant() -> None:
    with pytest.raises(SchemaError, match='GRANT USAGE ON SCHEMA "pgboss" TO "app"'):
        Database(may_use=False).run(ensure(SchemaName()))


@pytest.mark.parametrize(
    ("changes", "create_schema", "message"),
    [
        ({"may_create_schema": False, "may_create": None}, True, 'CREATE SCHEMA "pgboss" AUTHORIZATION "app";'),
        ({"may_create": None}, False, 'create_schema is off. Create it first: CREATE SCHEMA "pgboss";'),
        ({"exists": True, "may_create": False}, True, 'GRANT USAGE, CREATE ON SCHEMA "pgboss" TO "app"'),
    ],
)
def test_who_may_not_install_is_told_what_to_do(changes: dict[str, Any], create_schema: bool, message: str) -> None:
    database = empty(**changes)

    with pytest.raises(SchemaError, match=message.replace(".", r"\.")):
        database.run(ensure(SchemaName(), create_schema=create_schema))
    assert database.changes == []


def test_a_schema_that_exists_is_not_created_again() -> None:
    database = empty(exists=True, may_create_schema=False)

    database.run(ensure(SchemaName(), create_schema=False))

    assert len(database.changes) == 1


def test_a_case_variant_stops_an_installation_unless_allowed() -> None:
    database = empty(variants=("MySchema",))

    with pytest.raises(SchemaError, match='is in "MySchema", which differs by case'):
        database.run(ensure(SchemaName("MySchema")))
    assert database.changes == []

    assert database.run(ensure(SchemaName("MySchema"), allow_case_variant=True)).installed


def test_waiting_for_another_installer_ends_with_a_clear_error() -> None:
    with pytest.raises(SchemaError, match="more than 30 s"):
        empty(errors={"pg_advisory_xact_lock": "55P03"}).run(ensure(SchemaName()))


def test_other_database_errors_come_through() -> None:
    with pytest.raises(DatabaseError) as error:
        empty(errors={"pg_advisory_xact_lock": "57014"}).run(install(SchemaName()))
    assert error.value.sqlstate == "57014"


def test_uninstalling_nothing_is_an_error() -> None:
    with pytest.raises(SchemaMissingError, match="nothing of pg-boss"):
        empty().run(uninstall(SchemaName()))


def test_uninstalling_stops_before_a_table_that_is_not_pg_bosss() -> None:
    database = Database(columns={"queue": ["number", "customer", "name"], "job": list(managed_columns("job"))})

    with pytest.raises(SchemaError, match=r"Nothing was removed.*queue"):
        database.run(uninstall(SchemaName("public"), force=True))
    assert database.changes == []


@pytest.mark.parametrize(("force", "behaviour"), [(False, "RESTRICT"), (True, "CASCADE")])
def test_uninstalling_cascades_only_when_forced(force: bool, behaviour: str) -> None:
    database = Database()

    database.run(uninstall(SchemaName(), force=force))

    [script] = database.changes
    assert script.count(f" {behaviour};") == 3


def test_what_hangs_on_the_schema_is_named() -> None:
    with pytest.raises(SchemaError, match=r"depends on pg-boss.*force.*error 2BP01"):
        Database(errors={"DROP TABLE": "2BP01"}).run(uninstall(SchemaName()))
