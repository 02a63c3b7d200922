"""The pytest plugin, as its users see it: in a test run of their own, on a real PostgreSQL."""

from __future__ import annotations

import os

import pytest

from pgboss.testing.databases import ForeignServer
from support.postgres import PostgresServer, sql

pytest_plugins = ["pytester"]
# Each is a test run of its own, in a process of its own.
pytestmark = pytest.mark.timeout(120)

APP = """
from pydantic import BaseModel
from pgboss import Jobs

jobs = Jobs()

class Mail(BaseModel):
    to: str

@jobs.job("mail")
async def mail(payload: Mail) -> str:
    return payload.to

@jobs.job("printed")
def printed(payload: dict) -> str:
    return payload["to"]
"""


INI = """
[pytest]
pgboss_jobs = app:jobs
pythonpath = .
filterwarnings = error
asyncio_default_fixture_loop_scope = function
"""


@pytest.fixture
def program(pytester: pytest.Pytester, postgres: PostgresServer, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    """A program with jobs, whose tests are run on the server of this session."""
    monkeypatch.setenv("PGBOSS_TEST_URL", postgres.dsn_for("postgres"))
    monkeypatch.delenv("DATABASE_URL", raising=False)
    pytester.makepyfile(app=APP)
    pytester.makeini(INI)
    return pytester


def run(program: pytest.Pytester, *arguments: str) -> pytest.RunResult:
    without = [option for name in ("cacheprovider", "randomly", "hypothesispytest") for option in ("-p", f"no:{name}")]
    return program.runpytest_subprocess(*without, *arguments)


def test_every_test_has_a_boss_and_a_database_of_its_own(program: pytest.Pytester, postgres: PostgresServer) -> None:
    program.makepyfile(
        """
        import pytest
        from app import Mail, mail, jobs
        from pgboss.testing import drain, sync_drain

        @pytest.mark.asyncio
        @pytest.mark.parametrize("to", ["ada", "bob"])
        async def test_mail(boss, to):
            spy = boss.get_spy("mail")
            id = await boss.send(mail, Mail(to=to))
            [ran] = await drain(boss)
            assert (ran.job.id, ran.output) == (id, {"value": to})
            assert (await spy.wait_for_job_with_id(id, "completed")).output == {"value": to}

        def test_without_asyncio(sync_boss):
            sync_boss.send("printed", {"to": "cy"})
            [ran] = sync_drain(sync_boss, jobs)
            assert ran.output == {"value": "cy"}

        def test_both_see_one_database(sync_boss, pgboss_url):
            from pgboss import SyncPgBoss
            with SyncPgBoss(pgboss_url) as other:
                other.send("printed", {"to": "dee"})
            assert len(sync_boss.find_jobs("printed")) == 1
        """
    )

    run(program).assert_outcomes(passed=4)
    left = sql(postgres.dsn_for("postgres"), "SELECT datname FROM pg_database WHERE datname LIKE 'pgboss_test_%'")
    # Those of this very session aside.
    assert [row for row in left if not row["datname"].startswith(f"pgboss_test_{os.getpid()}_")] == []


def test_options_clocks_and_schemas_can_be_overridden(program: pytest.Pytester) -> None:
    program.makeconftest(
        """
        import pytest

        @pytest.fixture
        def pgboss_schema():
            return "shop"

        @pytest.fixture
        def pgboss_options(pgboss_clock):
            return {"clock": pgboss_clock}
        """
    )
    program.makepyfile(
        """
        import pytest
        from datetime import timedelta
        from app import Mail, mail
        from pgboss.testing import drain

        @pytest.mark.asyncio
        async def test_later(boss, pgboss_clock):
            assert boss.schema.sql == '"shop"'
            await boss.send_after(mail, Mail(to="ada"), timedelta(days=1))
            assert await drain(boss) == []
            await pgboss_clock.tick(86400)
            assert [ran.state for ran in await drain(boss)] == ["completed"]
        """
    )

    run(program).assert_outcomes(passed=1)


def test_settings_may_name_the_server(
    program: pytest.Pytester, postgres: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PGBOSS_TEST_URL")
    program.makepyfile("def test_it(sync_boss):\n    assert sync_boss.get_queue('mail') is not None\n")

    run(program, "--pgboss-url", postgres.dsn_for("postgres")).assert_outcomes(passed=1)


def test_without_a_server_an_embedded_one_is_used(program: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PGBOSS_TEST_URL")
    program.makepyfile("def test_it(sync_boss):\n    assert sync_boss.get_queue('mail') is not None\n")

    run(program).assert_outcomes(passed=1)


def test_what_is_wrong_with_the_server_is_said(program: pytest.Pytester) -> None:
    program.makepyfile("def test_it(sync_boss): ...\n")

    result = run(program, "--pgboss-url", "host=localhost dbname=x")

    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*must be given as a URL*"])


def test_loading_the_plugin_imports_nothing_of_ours(program: pytest.Pytester) -> None:
    program.makepyfile(
        """
        import sys

        def test_it():
            assert [name for name in sys.modules if name.startswith("pgboss.")] == [
                "pgboss.testing", "pgboss.testing.plugin"
            ]
            assert "psycopg" not in sys.modules
        """
    )

    run(program).assert_outcomes(passed=1)


def test_names_of_databases_are_put_in_the_place_of_the_servers(postgres: PostgresServer) -> None:
    server = ForeignServer(postgres.dsn_for("postgres"))
    url = server.create_database("pgboss test/1")
    try:
        assert sql(url, "SELECT current_database() AS name") == [{"name": "pgboss test/1"}]
    finally:
        server.drop_database("pgboss test/1")
