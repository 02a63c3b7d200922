"""A command line on a database of the test's own, in an empty folder."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from pgboss import SyncPgBoss
from support.command_line import CommandLine


@pytest.fixture(autouse=True)
def empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder; the developer's own may hold a .env."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def bare(database_url: str) -> CommandLine:
    """Commands on a database without the schema."""
    return CommandLine(database_url)


@pytest.fixture
def installed(database_url: str) -> Iterator[SyncPgBoss]:
    """The client on a database with the schema."""
    with SyncPgBoss(database_url, pool_size=1) as client:
        yield client


@pytest.fixture
def pgboss(installed: SyncPgBoss, database_url: str) -> CommandLine:
    """Commands on a database with the schema."""
    return CommandLine(database_url)
