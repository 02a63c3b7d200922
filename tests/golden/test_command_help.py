"""What every command says about itself: a change here is a change for scripts and for fingers."""

from __future__ import annotations

from collections.abc import Iterator

import typer.main
from typer.testing import CliRunner

from pgboss.cli.app import app
from support.golden import check_golden

COLUMNS = "100"


def test_command_help() -> None:
    check_golden("command_help.txt", "\n\n".join(helps(typer.main.get_command(app), [])))


def helps(command: object, path: list[str]) -> Iterator[str]:
    result = CliRunner().invoke(app, [*path, "--help"], prog_name="pgboss", env={"COLUMNS": COLUMNS, "NO_COLOR": "1"})
    assert result.exit_code == 0, result.output
    yield "\n".join(
        [f"$ {' '.join(['pgboss', *path])} --help", *(line.rstrip() for line in result.output.splitlines())]
    )
    for name, inner in getattr(command, "commands", {}).items():
        yield from helps(inner, [*path, name])
