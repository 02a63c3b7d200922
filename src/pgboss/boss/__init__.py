"""The client plus everything that runs: workers and maintenance, started and stopped together."""

from pgboss.boss.boss import STOP_TIMEOUT_SECONDS, PgBoss
from pgboss.boss.run import run_worker

__all__ = ["STOP_TIMEOUT_SECONDS", "PgBoss", "run_worker"]
