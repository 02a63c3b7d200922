"""The API on a database of the test's own, called directly or served."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import httpx
import pytest

from pgboss import PgBoss
from pgboss.web import app
from support.postgres import PostgresServer, Template, copy_of
from support.visitor import Visitor, visiting
from support.web import calling


@pytest.fixture
def database_url(postgres: PostgresServer, template: Template) -> Iterator[str]:
    """The URL of a database that this test has for itself, with the schema that every site has."""
    yield from copy_of(postgres, template("pgboss"))


@pytest.fixture
async def api(boss: PgBoss) -> AsyncIterator[httpx.AsyncClient]:
    """Requests to the application of ``boss``, by somebody at this machine who may do everything."""
    async with calling(app(boss)) as client:
        yield client


@pytest.fixture
async def visitor(boss: PgBoss) -> AsyncIterator[Visitor]:
    """Somebody at this machine who may do everything, looking at the dashboard of ``boss``."""
    async with visiting(app(boss)) as one:
        yield one
