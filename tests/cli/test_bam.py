"""``pgboss bam``."""

from __future__ import annotations

from pgboss import SyncPgBoss
from support.command_line import CommandLine
from support.put_off import put_off


def test_the_list(pgboss: CommandLine, installed: SyncPgBoss) -> None:
    empty = pgboss("bam", "list")
    assert (empty.code, empty.out) == (0, "")
    assert "put anything off" in empty.err

    put_off(pgboss.database_url, "SELECT 1", name="newer", version=46)
    put_off(pgboss.database_url, "SELECT 1", name="older", version=45, status="failed", error="error: no")

    titles, older, newer = pgboss.ok("bam", "list").splitlines()
    assert titles.split() == ["VERSION", "NAME", "STATUS", "TABLE", "PUT", "OFF", "ERROR"]
    assert older.split()[:4] == ["45", "older", "failed", "job_common"]
    assert older.endswith("error: no")
    assert newer.split()[:4] == ["46", "newer", "pending", "job_common"]

    [only] = pgboss("bam", "list", "--json", "--limit", "1").json
    assert (only["name"], only["command"], only["error"]) == ("older", "SELECT 1", "error: no")
    entries = installed.get_bam_entries()
    assert [entry.name for entry in installed.get_bam_entries(after=entries[0].id)] == ["newer"]
    assert [(each.status, each.count) for each in installed.get_bam_status()] == [("failed", 1), ("pending", 1)]


def test_running_what_waits(pgboss: CommandLine, installed: SyncPgBoss) -> None:
    idle = pgboss("bam", "run")
    assert (idle.code, idle.out) == (0, "")
    assert "nothing to run" in idle.err

    put_off(pgboss.database_url, "CREATE INDEX CONCURRENTLY built ON pgboss.job_common (created_on)", name="build")
    assert pgboss.ok("bam", "run") == "Completed build on job_common.\n"

    put_off(pgboss.database_url, "SELECT 1 / 0", name="broken", table="warning")
    put_off(pgboss.database_url, "SELECT 1", name="sound", table="queue")
    outcome = pgboss("bam", "run")
    assert (outcome.code, outcome.out) == (1, "Completed sound on queue.\n")
    assert outcome.err == "Failed broken on warning: error: division by zero\n"
    assert [entry.status for entry in installed.get_bam_entries()] == ["completed", "failed", "completed"]
