"""A page that does not tell the truth is found out."""

from __future__ import annotations

from pathlib import Path

import pytest

from docs.pages import Block
from docs.reader import Reader

SERVER = "# server.py\nprint('ready')\nimport time\ntime.sleep(60)\n"
LIES = {
    "a program fails": ([Block("python", "raise SystemExit(3)\n", 1)], "ended with 3"),
    "a program warns": (
        [Block("python", "import warnings\nwarnings.warn('old', DeprecationWarning)\n", 1)],
        "DeprecationWarning",
    ),
    "a command fails": ([Block("sh", "pgboss no-such-command\n", 1)], "ended with 2"),
    "something else is printed": (
        [Block("sh", "echo two words\n", 1), Block("output", "two other…words\n", 2)],
        "not among what was printed",
    ),
    "Ctrl-C ends it badly": (
        [
            Block("python", SERVER, 1),
            Block("sh", "python server.py  # until Ctrl-C\n", 2),
            Block("output", "ready\n", 3),
        ],
        "python server.py ended with -2",
    ),
}


@pytest.mark.node
@pytest.mark.parametrize(("blocks", "complaint"), LIES.values(), ids=LIES.keys())
def test_a_lie_is_found_out(blocks: list[Block], complaint: str, database_url: str, desk: Path) -> None:
    with pytest.raises(AssertionError, match=complaint):
        read(blocks, database_url, desk)


@pytest.mark.node
def test_the_truth_is_believed(database_url: str, desk: Path) -> None:
    read([Block("sh", "echo two words  # just a remark\n", 1), Block("output", "two…ds\n", 2)], database_url, desk)


def read(blocks: list[Block], database_url: str, desk: Path) -> None:
    with Reader(desk, database_url, patience_seconds=5) as reader:
        for block in blocks:
            reader.follow(block)
