"""Words, tables and what a terminal gets to see."""

from __future__ import annotations

import os
import pty
import re
import subprocess
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import pytest

from pgboss import SyncPgBoss
from pgboss.cli.ages import age, duration, moment, seconds
from pgboss.cli.output import as_json, one_line, readable
from pgboss.core.wire import Unreadable
from support.command_line import PROGRAM, CommandLine, program_environment

COLOURS = re.compile(r"\x1b\[[0-9;]*3[0-9][0-9;]*m")
STYLES = re.compile(r"\x1b\[[0-9;]*m")


@pytest.mark.parametrize(
    ("span", "words", "short"),
    [
        (-5, "0 s", "0 s"),
        (0, "0 s", "0 s"),
        (0.0004, "0 s", "0 s"),
        (0.256, "0.26 s", "0 s"),
        (9.999, "10 s", "9 s"),
        (59.7, "1 m", "59 s"),
        (61, "1 m 1 s", "1 m"),
        (3599, "59 m 59 s", "59 m"),
        (3600, "1 h", "1 h"),
        (93_784, "1 d 2 h", "1 d"),
        (10**9, "11574 d 1 h", "11574 d"),
    ],
)
def test_durations(span: float, words: str, short: str) -> None:
    assert duration(timedelta(seconds=span)) == words
    assert age(timedelta(seconds=span)) == short


def test_seconds_of_an_option() -> None:
    assert [seconds(None), seconds(60), seconds(86_400)] == ["none", "60 s", "86400 s (1 d)"]


def test_moments_are_in_the_users_zone() -> None:
    time = datetime(2030, 1, 2, 3, 4, 5, 678_900, tzinfo=UTC)

    assert datetime.fromisoformat(moment(time)) == time.replace(microsecond=678_000)
    assert moment(None) == ""


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain ü 漢 ✓\tand\nlines", "plain ü 漢 ✓\tand\nlines"),
        ("\x1b[2J", r"\x1b[2J"),
        ("\x9b2J", r"\x9b2J"),
        ("a\rb\x07\x7f", r"a\rb\x07\x7f"),
        ("\u202egnp.exe", r"\u202egnp.exe"),
        ("\ud800", r"\ud800"),
    ],
)
def test_what_would_act_upon_a_terminal_is_shown_instead(text: str, shown: str) -> None:
    assert readable(text) == shown


def test_json_for_programs() -> None:
    value = {
        "id": UUID(int=7),
        "time": datetime(2030, 1, 2, 3, tzinfo=UTC),
        "data": Unreadable("too deep"),
        "text": "ü",
    }

    assert as_json(value, ensure_ascii=True).splitlines() == [
        "{",
        '  "id": "00000000-0000-0000-0000-000000000007",',
        '  "time": "2030-01-02T03:00:00+00:00",',
        '  "data": {',
        '    "unreadable": "too deep"',
        "  },",
        r'  "text": "\u00fc"',
        "}",
    ]


def test_json_in_a_cell() -> None:
    assert [one_line(None), one_line("a\nb"), one_line({"ü": [1, None]})] == ["", r'"a\nb"', '{"ü": [1, null]}']


def on_a_terminal(database_url: str, *arguments: str, columns: int, cwd: Path, **env: str) -> str:
    """What a command writes to a terminal of so many columns."""
    ours, theirs = pty.openpty()
    environment = program_environment(database_url) | {"COLUMNS": str(columns), "TERM": "xterm-256color"} | env
    with subprocess.Popen([*PROGRAM, *arguments], cwd=cwd, env=environment, stdout=theirs, stderr=theirs) as running:
        os.close(theirs)
        written = b""
        # Reading a terminal that nobody writes to any more is an error on Linux.
        with suppress(OSError):
            while part := os.read(ours, 65536):
                written += part
        os.close(ours)
        assert running.wait(20) == 0, written
    return written.decode().replace("\r\n", "\n")


@pytest.fixture
def jobs(installed: SyncPgBoss) -> list[str]:
    installed.create_queue("mail")
    return [str(installed.send("mail", {"text": "漢字 and much more of it " * 20})) for _ in range(3)]


def test_on_a_terminal_data_are_cut_and_ids_are_not(pgboss: CommandLine, jobs: list[str], empty_folder: Path) -> None:
    written = on_a_terminal(pgboss.database_url, "jobs", "list", "mail", columns=90, cwd=empty_folder)

    titles, *lines = STYLES.sub("", written).splitlines()
    assert titles.split() == ["ID", "STATE", "TRY", "NEWS", "DATA"]
    assert [line[:36] for line in lines] == jobs
    assert all("…" in line and len(line) <= 90 for line in lines)


def test_on_a_terminal_too_narrow_lines_run_over_rather_than_lose_ids(
    pgboss: CommandLine, jobs: list[str], empty_folder: Path
) -> None:
    written = on_a_terminal(pgboss.database_url, "jobs", "list", "mail", columns=30, cwd=empty_folder)

    _, *lines = STYLES.sub("", written).splitlines()
    assert [line[:36] for line in lines] == jobs


@pytest.mark.parametrize("command", [["jobs", "list", "mail"], ["queues", "list"], ["queues", "show", "mail"]])
def test_no_colour_where_none_is_wanted(
    pgboss: CommandLine, jobs: list[str], empty_folder: Path, command: list[str]
) -> None:
    written = on_a_terminal(pgboss.database_url, *command, columns=80, cwd=empty_folder, NO_COLOR="1")

    assert STYLES.search(written)
    assert not COLOURS.search(written)


def test_a_terminal_that_does_not_speak_unicode(pgboss: CommandLine, jobs: list[str], empty_folder: Path) -> None:
    environment = program_environment(pgboss.database_url) | {"PYTHONIOENCODING": "ascii"}

    for command, end in ((["--json"], "]\n"), ([], "\n")):
        ended = subprocess.run(
            [*PROGRAM, "jobs", "list", "mail", *command],
            cwd=empty_folder,
            env=environment,
            capture_output=True,
            text=True,
            check=True,
        )
        assert jobs[2] in ended.stdout
        assert ended.stdout.endswith(end)


def test_a_reader_that_leaves_early_is_no_error(pgboss: CommandLine, installed: SyncPgBoss, empty_folder: Path) -> None:
    installed.create_queue("mail")
    installed.insert("mail", [{"data": "x" * 1000} for _ in range(500)])
    with subprocess.Popen(
        [*PROGRAM, "jobs", "list", "mail", "--limit", "500", "--json"],
        cwd=empty_folder,
        env=program_environment(pgboss.database_url),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as running:
        assert running.stdout is not None
        assert running.stderr is not None
        running.stdout.read(10)
        running.stdout.close()
        assert running.stderr.read() == b""
