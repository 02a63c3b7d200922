"""A shell does not wait for help: what is heavy is imported by the command that needs it."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import entry_points, version
from pathlib import Path

import pytest

import pgboss
from pgboss.cli import main
from pgboss.schema.version import SCHEMA_VERSION
from support.command_line import CommandLine, run_program

HEAVY = {"asyncio", "psycopg", "psycopg_pool", "pydantic", "pydantic_settings", "rich"}

LIST_MODULES = """
import sys
sys.argv = ["pgboss", *sys.argv[1:]]
from pgboss.cli import main
try:
    main()
finally:
    print(*sorted(sys.modules), file=sys.stderr)
"""


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["jobs", "--help"], ["worker", "--help"]])
def test_help_imports_nothing_heavy(arguments: list[str], empty_folder: Path) -> None:
    ended = subprocess.run(
        [sys.executable, "-c", LIST_MODULES, *arguments], cwd=empty_folder, capture_output=True, text=True, check=True
    )

    assert ended.stdout
    assert HEAVY & set(ended.stderr.split()) == set()


def test_the_script_is_this_command() -> None:
    [script] = entry_points(group="console_scripts", name="pgboss")

    assert script.load() is main


def test_the_version(empty_folder: Path) -> None:
    outcome = run_program("", "--version", cwd=empty_folder)

    assert (outcome.code, outcome.err) == (0, "")
    assert outcome.out == f"pgboss {version('pgboss')} (pg-boss schema {SCHEMA_VERSION})\n"


def test_alone_it_shows_its_help(bare: CommandLine) -> None:
    outcome = bare()

    assert outcome.code == 2
    assert "Commands:" in outcome.out + outcome.err


def test_public_names_come_when_they_are_asked_for() -> None:
    assert {name for name in pgboss.__all__ if getattr(pgboss, name, None) is None} == set()
    assert set(pgboss.__all__) <= set(dir(pgboss))
    with pytest.raises(AttributeError, match="module 'pgboss' has no attribute 'PgBos'"):
        pgboss.PgBos  # type: ignore[attr-defined]  # noqa: B018  that is the point
