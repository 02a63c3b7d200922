"""Both sides of the differential tests, opened once a module: see ``support/differential``."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from support.differential.arena import Stage, open_arena
from support.postgres import PostgresServer, fresh_database_name
from support.twins import twins

__all__ = ["stage", "twins"]


@pytest.fixture(scope="module")
def stage(postgres: PostgresServer) -> Iterator[Stage]:
    name = fresh_database_name("differential")
    with open_arena(postgres.create_database(name)) as opened:
        yield opened
    postgres.drop_database(name)
