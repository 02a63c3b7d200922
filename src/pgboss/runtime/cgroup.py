"""What a container is allowed and uses, as its control group tells; on a machine without one, nothing.

Within a container the figures of the machine say little: what counts is the tightest limit of our own group and those
above it. Linux has two layouts, version 1 with a tree for each controller and version 2 with one for all; where they
are mounted, and where we are in them, is read from ``/proc/self``. What cannot be read is ``None``; nothing raises.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

__all__ = ["ControlGroup", "find_control_group"]

# Version 1 writes "no limit" as the largest number that is a multiple of the page.
UNLIMITED_BYTES = 2**60
_ESCAPED = re.compile(r"\\([0-7]{3})")


@dataclass(frozen=True, slots=True)
class Limit:
    """The tightest limit, and the folder of the group that sets it."""

    value: float
    folder: Path


@dataclass(frozen=True, slots=True)
class ControlGroup:
    """Our group and those above it, the innermost first, for each of the two controllers."""

    version: Literal[1, 2]
    cpu: tuple[Path, ...]
    memory: tuple[Path, ...]

    def cpu_limit(self) -> Limit | None:
        """How many processors' time we may use."""
        return _tightest(Limit(cores, folder) for folder in self.cpu if (cores := self._cores(folder)) is not None)

    def memory_limit(self) -> Limit | None:
        """How many bytes we may use."""
        name = "memory.max" if self.version == 2 else "memory.limit_in_bytes"
        limits = ((folder, _number(_read(folder / name))) for folder in self.memory)
        return _tightest(Limit(size, folder) for folder, size in limits if size and size < UNLIMITED_BYTES)

    def memory_used(self, folder: Path) -> int | None:
        """The bytes in use by a group, without the file cache that the kernel would give up first."""
        used = _number(_read(folder / ("memory.current" if self.version == 2 else "memory.usage_in_bytes")))
        if used is None:
            return None
        idle = _field(folder / "memory.stat", "inactive_file" if self.version == 2 else "total_inactive_file")
        return max(0, int(used) - (idle or 0))

    def throttling(self, folder: Path) -> tuple[int, int] | None:
        """How many periods there were in a group with a limit, and in how many of them it was held up."""
        periods, throttled = _field(folder / "cpu.stat", "nr_periods"), _field(folder / "cpu.stat", "nr_throttled")
        return None if periods is None or throttled is None else (periods, throttled)

    def _cores(self, folder: Path) -> float | None:
        if self.version == 2:
            quota, _, period = (_read(folder / "cpu.max") or "").partition(" ")
        else:
            quota = _read(folder / "cpu.cfs_quota_us") or ""
            period = _read(folder / "cpu.cfs_period_us") or ""
        allowed, of = _number(quota), _number(period)
        return allowed / of if allowed and of and allowed > 0 and of > 0 else None


def find_control_group(root: Path = Path("/")) -> ControlGroup | None:
    """The group that this process is counted to; ``root`` is another one for tests."""
    lines = (_read(root / "proc/self/cgroup") or "").splitlines()
    member = [(controllers.split(","), path) for _, controllers, path in (line.split(":", 2) for line in lines)]
    mounts = list(_mounts(root))

    def folders(controller: str) -> tuple[Path, ...]:
        for controllers, path in member:
            for kind, options, mounted_root, place in mounts:
                is_ours = kind == "cgroup" and controller in options and controller in controllers
                if is_ours or (kind == "cgroup2" and not controller and controllers == [""]):
                    return tuple(_upwards(root, place, mounted_root, path))
        return ()

    cpu, memory = folders("cpu"), folders("memory")
    if cpu or memory:
        return ControlGroup(1, cpu, memory)
    unified = folders("")
    return ControlGroup(2, unified, unified) if unified else None


def _mounts(root: Path) -> Iterator[tuple[str, list[str], str, str]]:
    """Kind, options, the part of the tree that is shown, and where, of each mount of control groups."""
    for line in (_read(root / "proc/self/mountinfo") or "").splitlines():
        ours, separator, theirs = line.partition(" - ")
        before, after = ours.split(" "), theirs.split(" ")
        if separator and len(before) > 4 and len(after) > 2 and after[0].startswith("cgroup"):
            yield after[0], after[2].split(","), _plain(before[3]), _plain(before[4])


def _upwards(root: Path, place: str, mounted_root: str, path: str) -> Iterator[Path]:
    """The folders of a group and of those above it. In a container, the mount may show its own group only."""
    if mounted_root != "/":
        inside = path == mounted_root or path.startswith(mounted_root + "/")
        path = path[len(mounted_root) :] if inside else ""
    top = root / place.lstrip("/")
    parts = [part for part in path.split("/") if part not in ("", "..")]
    for count in range(len(parts), -1, -1):
        yield top.joinpath(*parts[:count])


def _plain(text: str) -> str:
    return _ESCAPED.sub(lambda found: chr(int(found[1], 8)), text)


def _tightest(limits: Iterator[Limit]) -> Limit | None:
    return min(limits, key=lambda limit: limit.value, default=None)


def _read(path: Path) -> str | None:
    with suppress(OSError, UnicodeDecodeError):
        return path.read_text().strip()
    return None


def _number(text: str | None) -> float | None:
    with suppress(TypeError, ValueError):
        return float(text or "")
    return None


def _field(path: Path, name: str) -> int | None:
    for line in (_read(path) or "").splitlines():
        key, _, value = line.partition(" ")
        if key == name and value.isdecimal():
            return int(value)
    return None
