"""``pgboss doctor --fix``: the clock of a test run that was killed."""

from __future__ import annotations

from datetime import UTC, datetime

from pgboss import SyncPgBoss
from pgboss.testing import SyncTestClock
from support.command_line import CommandLine
from support.postgres import sql_value


def test_a_schema_that_was_left_on_a_clock_gets_its_real_time_back(pgboss: CommandLine, database_url: str) -> None:
    clock = SyncTestClock(datetime(2031, 3, 5, tzinfo=UTC))
    killed = SyncPgBoss(database_url, clock=clock)
    killed.start()
    clock.leave(killed)  # what a kill leaves undone
    killed.stop()
    assert pgboss("doctor").code == 1
    assert "test clock" in pgboss("doctor").out

    fixed = pgboss("doctor", "--fix")

    assert fixed.code == 0
    assert "has its real time back" in fixed.err
    assert sql_value(database_url, "SELECT to_regclass('pgboss.__pgboss_test_clock')") is None
    assert pgboss.ok("doctor")
    # With nothing to do, nothing is done.
    assert pgboss.ok("doctor", "--fix")
