"""``pgboss migrate|doctor|plans|uninstall``: the schema itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from pgboss.cli.asking import ask
from pgboss.cli.bam import run_all
from pgboss.cli.connection import open_database, schema_name
from pgboss.cli.exits import FAILED
from pgboss.cli.invocation import command_group, connected, unconnected
from pgboss.cli.options import AsJson
from pgboss.cli.output import members, print_json, remark
from pgboss.schema.version import OLDEST_UPGRADABLE, SCHEMA_VERSION

if TYPE_CHECKING:
    from pgboss.core.names import SchemaName
    from pgboss.operations.migrate import Migration
    from pgboss.schema.findings import Finding

__all__ = ["plans", "register"]

plans = command_group("Print the schema's SQL, connecting to nothing.")

CreateSchema = Annotated[
    bool, typer.Option("--create-schema/--no-create-schema", help="Whether to make the schema itself too.")
]


def register(commands: typer.Typer) -> None:
    """Add these commands to the program."""
    for command in (migrate, doctor, uninstall):
        commands.command()(connected(command))
    commands.add_typer(plans, name="plans")


def migrate(
    context: typer.Context,
    *,
    create_schema: CreateSchema = True,
    allow_case_variant: Annotated[
        bool,
        typer.Option(
            "--allow-case-variant",
            help="Install even beside a schema whose name differs by case alone and holds pg-boss already.",
            show_default=False,
        ),
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print the SQL that would be run, and change nothing.", show_default=False)
    ] = False,
) -> None:
    """Install the schema where it is missing, and upgrade it where it is older.

    Upgrade when all applications that use it can move to npm pg-boss 12.38: older ones may refuse to start on it. Jobs
    stay as they are. Indexes are built afterwards, one by one, while work goes on; what is not built when this is
    broken off, any instance goes on with. The exit code is 1 when a build fails.
    """
    from pgboss.operations.bam import get_status, run_next
    from pgboss.operations.migrate import migrate as upgrade
    from pgboss.operations.migrate import plan_migration

    schema = schema_name(context)
    with open_database(context) as database:
        if dry_run:
            _print_plan(schema, database.run(plan_migration(schema, create_schema=create_schema)))
            return
        done = database.run(upgrade(schema, create_schema=create_schema, allow_case_variant=allow_case_variant))
        _print_migration(schema, done)
        if done.upgraded_from is not None:
            run_all(lambda pending_only: database.run(run_next(schema, pending_only=pending_only)))
            left = sum(status.count for status in database.run(get_status(schema)) if status.status != "completed")
            if left:
                remark(f"{left} commands that were put off are left to whoever runs one now: see `pgboss bam list`.")


def _print_plan(schema: SchemaName, plan: str | None) -> None:
    if plan is None:
        remark(f"There is nothing to do in the schema {schema.configured}.")
    else:
        typer.echo(plan, nl=False)


def _print_migration(schema: SchemaName, done: Migration) -> None:
    version = done.state.version
    if done.upgraded_from is not None:
        typer.echo(f"Upgraded the schema {schema.configured} from version {done.upgraded_from} to {version}.")
    elif done.state.installed:
        typer.echo(f"Installed pg-boss, version {version}, in the schema {schema.configured}.")
    elif done.state.warning:
        remark(done.state.warning)
    else:
        typer.echo(f"The schema {schema.configured} is at version {version} already.")


def doctor(
    context: typer.Context,
    *,
    fix: Annotated[
        bool,
        typer.Option(
            "--fix",
            help="Give the schema its real time back, where a test run that was killed has left it on its clock. "
            "Not while a test is running there.",
            show_default=False,
        ),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Say how the schema has drifted, and the DDL that mends it; bloated indexes are notes.

    Nothing is changed without --fix. The exit code is 1 when there is something to mend.
    """
    from pgboss.operations.clock import release
    from pgboss.operations.drift import detect_drift
    from pgboss.operations.indexes import note_bloat

    schema = schema_name(context)
    with open_database(context) as database:
        findings = database.run(detect_drift(schema))
        if fix and any(finding.kind == "test clock" for finding in findings):
            database.run(release(schema))
            remark("The schema was on the clock of a test, and has its real time back.")
            findings = database.run(detect_drift(schema))
        # Which tables are job tables, the queues say.
        if not any(finding.object in {"queue", "queue.table_name"} for finding in findings):
            findings += database.run(note_bloat(schema))
    drift = [finding for finding in findings if not finding.note]
    if as_json:
        print_json(
            {
                "ok": not drift,
                "schema": schema.catalog_name,
                "findings": [members(finding) for finding in findings],
            }
        )
    else:
        _print_report(schema, drift, [finding for finding in findings if finding.note])
    if drift:
        raise typer.Exit(FAILED)


def uninstall(
    context: typer.Context,
    *,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.", show_default=False)] = False,
    force: Annotated[
        bool,
        typer.Option("--force", help="Take along what depends on it: views, foreign keys.", show_default=False),
    ] = False,
) -> None:
    """Remove pg-boss from its schema, with all queues and jobs.

    The schema itself stays, and so does whatever else is in it.
    """
    from pgboss.operations.install import uninstall as remove

    schema = schema_name(context)
    with open_database(context) as database:
        if not yes:
            ask(f"Remove pg-boss from the schema {schema.configured} of {database.place}, with all queues and jobs?")
        removed = database.run(remove(schema, force=force))
    typer.echo(f"Removed pg-boss from the schema {schema.configured}.")
    if removed.kept:
        remark(f"Not pg-boss's, and left there: {', '.join(removed.kept)}.")


@plans.command("create")
@unconnected
def plan_to_create(context: typer.Context, *, create_schema: CreateSchema = True) -> None:
    """Print the SQL that installs the schema."""
    from pgboss.schema.plans import create_plan

    typer.echo(create_plan(schema_name(context), create_schema=create_schema), nl=False)


@plans.command("migrate")
@unconnected
def plan_to_migrate(
    context: typer.Context,
    *,
    installed: Annotated[
        int,
        typer.Option(
            "--from",
            metavar="VERSION",
            min=OLDEST_UPGRADABLE,
            max=SCHEMA_VERSION - 1,
            help="The version that is installed.",
            show_default=False,
        ),
    ],
) -> None:
    """Print the SQL that upgrades an older schema.

    The index builds that it puts off are run afterwards by `pgboss bam run`, or by any instance.
    """
    from pgboss.schema.plans import upgrade_plan

    typer.echo(upgrade_plan(schema_name(context), installed), nl=False)


@plans.command("uninstall")
@unconnected
def plan_to_uninstall(context: typer.Context) -> None:
    """Print the SQL that removes pg-boss from the schema."""
    from pgboss.schema.plans import uninstall_plan

    typer.echo(uninstall_plan(schema_name(context)), nl=False)


def _print_report(schema: SchemaName, drift: list[Finding], notes: list[Finding]) -> None:
    if drift:
        count = "1 difference" if len(drift) == 1 else f"{len(drift)} differences"
        typer.echo(f"The schema {schema.configured} is not as it should be: {count}.")
        for finding in drift:
            _print_finding(finding)
    else:
        typer.echo(f"The schema {schema.configured} is as it should be.")
    for finding in notes:
        typer.echo(f"\nNote: {finding.object}: {finding.detail}")
    if any(finding.mend for finding in drift):
        typer.echo("\nTo mend it, run each statement on its own, in this order, and look again:\n")
        for statement in _mending(drift):
            typer.echo(statement)


def _print_finding(finding: Finding) -> None:
    typer.echo(f"\n{finding.kind}: {finding.object}\n  {finding.detail}")
    if not finding.mend:
        typer.echo("  There is no statement that would mend this safely.")


def _mending(drift: list[Finding]) -> list[str]:
    """The statements, each but once: a table that is missing takes its indexes along, as findings of their own."""
    lines: dict[str, None] = {}
    for finding in drift:
        if finding.mend and finding.loses_data:
            lines[f"-- This deletes what {finding.object} holds:"] = None
        lines.update(dict.fromkeys(finding.mend))
    return list(lines)
