"""``pgboss reindex``."""

from __future__ import annotations

from pgboss import SyncPgBoss
from support.bloat import file_of, leave_a_leftover, pages_of
from support.command_line import CommandLine
from support.postgres import sql
from support.upkeep import add_jobs

PKEY = "job_common_pkey"
REBUILD = f'REINDEX INDEX CONCURRENTLY "pgboss"."{PKEY}"'


def leave_a_backlog(url: str) -> None:
    add_jobs(url, "mail", 30_000)
    sql(url, "DELETE FROM pgboss.job_common")
    sql(url, "VACUUM pgboss.job_common")


def test_nothing_is_bloated(pgboss: CommandLine) -> None:
    outcome = pgboss("reindex")

    assert (outcome.code, outcome.out) == (0, "")
    assert outcome.err == "No index of a job table is bloated.\n"


def test_what_is_bloated_is_printed_or_rebuilt(pgboss: CommandLine, installed: SyncPgBoss) -> None:
    url = pgboss.database_url
    installed.create_queue("mail")
    leave_a_backlog(url)
    leave_a_leftover(url, f"{PKEY}_ccnew")
    before = pages_of(url, PKEY)

    noted = pgboss.ok("doctor")
    assert noted.startswith("The schema pgboss is as it should be.\n")
    assert f"Note: {PKEY}: {before} pages for about 0 entries" in noted

    printed = pgboss.ok("reindex", "--dry-run").splitlines()

    assert printed[0] == f'DROP INDEX CONCURRENTLY IF EXISTS "pgboss"."{PKEY}_ccnew";'
    assert f"{REBUILD};" in printed
    assert pages_of(url, PKEY) == before > 128

    assert pgboss.ok("reindex").splitlines() == printed
    assert pages_of(url, PKEY) == 1
    assert pgboss("reindex").out == ""


def test_forced_it_rebuilds_every_index(pgboss: CommandLine) -> None:
    before = file_of(pgboss.database_url, PKEY)

    assert f"{REBUILD};" in pgboss.ok("reindex", "--force").splitlines()
    assert file_of(pgboss.database_url, PKEY) != before


def test_what_is_not_ours_is_said_and_fails(pgboss: CommandLine, installed: SyncPgBoss) -> None:
    url = pgboss.database_url
    sql(url, "CREATE ROLE stranger; ALTER TABLE pgboss.job_common OWNER TO stranger")
    sql(url, "CREATE ROLE visitor LOGIN; GRANT ALL ON SCHEMA pgboss TO visitor")
    sql(url, "GRANT ALL ON ALL TABLES IN SCHEMA pgboss TO visitor")
    try:
        as_visitor = {"PGOPTIONS": "-c role=visitor"}
        printed = pgboss("reindex", "--force", "--dry-run", env=as_visitor)
        assert printed.code == 0
        assert f"{REBUILD};" in printed.out
        assert "needs a role that owns it" in printed.err

        refused = pgboss("reindex", "--force", env=as_visitor)
        assert (refused.code, refused.out) == (1, "")
        assert "our role does not own it" in refused.err
    finally:
        sql(url, "ALTER TABLE pgboss.job_common OWNER TO CURRENT_USER")
        sql(url, "DROP OWNED BY visitor; DROP ROLE visitor; DROP ROLE stranger")


def test_without_a_schema(bare: CommandLine) -> None:
    assert bare("reindex").code == 4
