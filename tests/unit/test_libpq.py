"""No libpq is needed on the machine: the wheel brings its own, and that is the one in use."""

from __future__ import annotations

import subprocess
import sys

PROGRAM = """
import psycopg
assert psycopg.pq.__impl__ == "binary", psycopg.pq.__impl__
libraries = {line.split()[-1] for line in open("/proc/self/maps") if "libpq" in line}
assert libraries and all("psycopg_binary" in path for path in libraries), libraries
import pgboss
pgboss.PgBoss("postgresql://localhost/app")
"""


def test_the_libpq_in_use_is_the_wheels_own() -> None:
    # A loader path that leads nowhere, and no PATH on which pg_config could be asked.
    hidden = {"LD_LIBRARY_PATH": "/nonexistent", "PATH": ""}
    result = subprocess.run([sys.executable, "-c", PROGRAM], env=hidden, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
