"""Writing results: what the server refuses for a moment is written later, and no work is done twice for it."""

from __future__ import annotations

import pytest

from pgboss import Job, PgBoss
from support.eventually import eventually
from support.postgres import sql

REFUSE = """
    CREATE SEQUENCE public.refused;
    CREATE FUNCTION public.refuse() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        -- Sequences are not rolled back: three statements are refused, whatever becomes of them.
        IF nextval('public.refused') <= 3 THEN RAISE EXCEPTION USING ERRCODE = '{sqlstate}'; END IF;
        RETURN NEW;
    END $$;
    CREATE TRIGGER refuse BEFORE UPDATE ON pgboss.job_common
       FOR EACH ROW WHEN (NEW.state = 'completed') EXECUTE FUNCTION public.refuse()
"""


@pytest.mark.parametrize(
    "sqlstate",
    ["40P01", "53100", "57014", "25006", "55P03"],
    ids=["deadlock", "disk-full", "cancelled", "read-only", "locked"],
)
async def test_a_result_that_is_refused_for_a_moment_is_written_later(
    boss: PgBoss, database_url: str, sqlstate: str
) -> None:
    runs: list[object] = []

    async def handler(job: Job) -> object:
        runs.append(job.data)
        return job.data

    await boss.create_queue("jobs", retry_limit=5)
    await boss.insert("jobs", [{"data": "one"}, {"data": "two"}])
    sql(database_url, REFUSE.format(sqlstate=sqlstate))
    await boss.work("jobs", handler)

    await eventually(lambda: outputs(database_url) == [{"value": "one"}, {"value": "two"}])
    assert sorted(map(str, runs)) == ["one", "two"]


def outputs(url: str) -> list[object]:
    rows = sql(url, "SELECT output FROM pgboss.job WHERE state = 'completed' ORDER BY output")
    return [row["output"] for row in rows]
