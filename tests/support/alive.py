"""Whether processes still run."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

__all__ = ["children_of", "is_alive"]


def is_alive(pid: int) -> bool:
    """Whether the process runs; a zombie, which somebody only has to collect, does not."""
    try:
        os.kill(pid, 0)
        return _state(pid)[0] != "Z"
    except (ProcessLookupError, FileNotFoundError):
        return False


def children_of(pid: int) -> list[int]:
    """The processes that this one has started and that still run."""
    return [child for child, parent in _parents() if parent == pid and is_alive(child)]


def _parents() -> Iterator[tuple[int, int]]:
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                yield int(folder.name), int(_state(int(folder.name))[1])
            except (FileNotFoundError, ProcessLookupError):
                continue


def _state(pid: int) -> list[str]:
    # The name in brackets may hold anything, brackets and spaces too.
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
