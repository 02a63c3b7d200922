"""The pytest plugin: a ``boss`` on a PostgreSQL of its own. docs/testing.md tells how to use and to override it.

pytest loads this module in every run where pgboss is installed, so nothing of pgboss is imported before a fixture is
used.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from importlib.util import find_spec
from pkgutil import resolve_name
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from pgboss import Jobs, PgBoss, SyncPgBoss
    from pgboss.testing.clock import SyncTestClock, TestClock
    from pgboss.testing.databases import TestDatabases

__all__ = [
    "boss",
    "pgboss_clock",
    "pgboss_databases",
    "pgboss_jobs",
    "pgboss_options",
    "pgboss_schema",
    "pgboss_sync_clock",
    "pgboss_url",
    "sync_boss",
]

URL_VARIABLE = "PGBOSS_TEST_URL"


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("pgboss", "job queues of pgboss")
    group.addoption(
        "--pgboss-url",
        metavar="URL",
        help=f"PostgreSQL server to make test databases on. [default: {URL_VARIABLE}, else an embedded server]",
    )
    parser.addini("pgboss_url", f"PostgreSQL server to make test databases on; --pgboss-url and {URL_VARIABLE} win")
    parser.addini("pgboss_jobs", "job definitions of the program, as MODULE:JOBS", type="linelist", default=[])


if find_spec("pytest_asyncio") is not None:
    # In strict mode pytest-asyncio minds its own fixtures only, in auto mode these too.
    import pytest_asyncio

    _async_fixture: Callable[..., Any] = pytest_asyncio.fixture
else:
    # Left to whatever plugin runs the async tests, such as anyio's.
    _async_fixture = pytest.fixture


@pytest.fixture(scope="session")
def pgboss_jobs(request: pytest.FixtureRequest) -> list[Jobs]:
    """The job definitions of ``boss``: those of the setting ``pgboss_jobs``. Override it to give others."""
    return [resolve_name(place) for place in request.config.getini("pgboss_jobs")]


@pytest.fixture(scope="session")
def pgboss_databases(request: pytest.FixtureRequest, pgboss_jobs: list[Jobs]) -> Iterator[TestDatabases]:
    """The server of the session, and a template with the schema and the queues of all definitions."""
    from os import environ

    from pgboss.testing.databases import open_databases

    config = request.config
    url = config.getoption("--pgboss-url") or environ.get(URL_VARIABLE) or config.getini("pgboss_url")
    with open_databases(url, pgboss_jobs) as databases:
        yield databases


@pytest.fixture
def pgboss_url(pgboss_databases: TestDatabases) -> Iterator[str]:
    """The URL of a database that one test has for itself, with the schema installed. Override it to give your own."""
    with pgboss_databases.fresh() as url:
        yield url


@pytest.fixture
def pgboss_schema() -> str:
    """The schema of ``boss`` and ``sync_boss``. Override it where yours is called otherwise."""
    return "pgboss"


@pytest.fixture
def pgboss_options() -> dict[str, Any]:
    """Further options of ``PgBoss`` for ``boss``. Override it to give some."""
    return {}


@_async_fixture
async def boss(
    pgboss_url: str, pgboss_schema: str, pgboss_jobs: list[Jobs], pgboss_options: dict[str, Any]
) -> AsyncIterator[PgBoss]:
    """A started instance that works nothing by itself: see :func:`pgboss.testing.drain`. Spies are on."""
    from pgboss import PgBoss

    options = {"work": False, "supervise": False, "schedule": False, "enable_spies": True, "pool_size": 4}
    boss = PgBoss(pgboss_url, schema=pgboss_schema, jobs=pgboss_jobs, **(options | pgboss_options))
    await boss.start()
    try:
        yield boss
    finally:
        await boss.stop(timeout=0)


@pytest.fixture
def sync_boss(pgboss_url: str, pgboss_schema: str) -> Iterator[SyncPgBoss]:
    """A started ``SyncPgBoss`` on the same kind of database: see :func:`pgboss.testing.sync_drain`."""
    from pgboss import SyncPgBoss

    with SyncPgBoss(pgboss_url, schema=pgboss_schema, pool_size=4) as boss:
        yield boss


@pytest.fixture
def pgboss_clock() -> TestClock:
    """A clock that stands still, for ``pgboss_options``."""
    from pgboss.testing.clock import TestClock

    return TestClock()


@pytest.fixture
def pgboss_sync_clock() -> SyncTestClock:
    """A clock that stands still, for a ``SyncPgBoss`` of yours."""
    from pgboss.testing.clock import SyncTestClock

    return SyncTestClock()
