"""``pgboss migrate|doctor|plans|uninstall``: the schema itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from pgboss.cli.asking import ask
from pgboss.cli.connection import open_database, schema_name
from pgboss.cli.exits import FAILED
from pgboss.cli.invocation import command_group, connected, unconnected
from pgboss.cli.options import AsJson
from pgboss.cli.output import members, print_json, remark

if TYPE_CHECKING:
    from pgboss.core.names import SchemaName
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
) -> None:
    """Install the schema where it is missing.

    An installed one is left alone: an older one may serve Node applications, so it is only said how to upgrade it.
    """
    from pgboss.operations.install import install

    schema = schema_name(context)
    with open_database(context) as database:
        state = database.run(install(schema, create_schema=create_schema, allow_case_variant=allow_case_variant))
    if state.installed:
        typer.echo(f"Installed pg-boss, version {state.version}, in the schema {schema.configured}.")
    elif state.warning:
        remark(state.warning)
    else:
        typer.echo(f"The schema {schema.configured} is at version {state.version} already.")


def doctor(context: typer.Context, *, as_json: AsJson = False) -> None:
    """Say how the schema has drifted, and the DDL that mends it.

    Nothing is changed. The exit code is 1 when there is something to mend.
    """
    from pgboss.operations.drift import detect_drift

    schema = schema_name(context)
    with open_database(context) as database:
        findings = database.run(detect_drift(schema))
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
