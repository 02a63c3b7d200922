"""The grants of the documentation are enough for all work, and for nothing beyond it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from psycopg.conninfo import make_conninfo

from docs.pages import ROOT, read_sections
from pgboss import DatabaseError, Jobs, PgBoss, SyncPgBoss
from support.eventually import eventually
from support.postgres import fresh_database_name, sql


@pytest.fixture
def granted(database_url: str) -> Iterator[str]:
    """The DSN of a role with the documented rights; roles belong to the whole server, hence a name of its own."""
    with SyncPgBoss(database_url):
        pass
    [grants] = [
        block.text
        for section in read_sections(ROOT / "docs" / "operations.md")
        for block in section.blocks
        if block.file_name == "grants.sql"
    ]
    role = fresh_database_name("role")
    sql(database_url, grants.replace("shop", role))
    # The role is taken after logging in: the embedded server lets the operating system's user in, and no other.
    yield make_conninfo(database_url, options=f"-c role={role}")
    sql(database_url, f"DROP OWNED BY {role}; DROP ROLE {role}")


async def test_a_role_with_these_rights_starts_sends_works_and_sweeps(granted: str) -> None:
    jobs = Jobs()

    @jobs.job("mail", dead_letter="lost-mail", retry_limit=0)
    async def mail(to: str) -> str:
        return {"ada": "sent"}[to]

    async with PgBoss(granted, jobs=jobs) as boss:
        await boss.insert(mail, [{"data": "ada"}, {"data": "nobody"}])

        async def done() -> bool:
            return {job.state for job in await boss.find_jobs("mail")} == {"completed", "failed"}

        await eventually(done)
        assert len(await boss.find_jobs("lost-mail")) == 1
        await boss.delete_queue("mail")


def test_partitions_take_the_owner(granted: str) -> None:
    with SyncPgBoss(granted, migrate=False) as boss, pytest.raises(DatabaseError) as refused:
        boss.create_queue("own-table", partition=True)

    assert refused.value.sqlstate == "42501"
