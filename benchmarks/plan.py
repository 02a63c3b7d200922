"""In which order everything is measured: round by round, each workload by all systems one after the other.

What the machine does meanwhile then falls on all of them alike. In the ordinary mode the first round measures
everything, and further rounds repeat what the contenders do, as far as the time allows.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, field
from time import monotonic

from benchmarks.processes import ChildError
from benchmarks.stage import MiscountError, Stage
from benchmarks.workloads import GROUPS, Group, Row, Sizes

__all__ = ["Plan"]


@dataclass
class Plan:
    """What to measure, and how long that may take.

    Attributes:
        stages: the systems.
        workloads: the names of those that are wanted.
        sizes: how much of everything.
        rounds: at most so many.
        minutes: no measurement begins that would not be over by then.
        is_thorough: whether every round has all systems in it, not the contenders only.
        left_out: what there was no time for in the first round.
        errors: what failed, and why; it is not tried again.
    """

    stages: list[Stage]
    workloads: Collection[str]
    sizes: Sizes
    rounds: int
    minutes: float
    is_thorough: bool
    left_out: list[str] = field(default_factory=list)
    errors: list[dict[str, str]] = field(default_factory=list)

    def run(self, say: Callable[[str], None]) -> Iterator[Row]:
        """Measure; yields each row when it is there."""
        began = monotonic()
        took: dict[tuple[str, Group], float] = {}
        failed: set[tuple[str, Group]] = set()
        for number in range(self.rounds):
            for group, stage in self._cells(number):
                cell = stage.system.name, group
                if cell in failed:
                    continue
                name = f"{stage.system.name} {'+'.join(group.workloads)}"
                if monotonic() - began + took.get(cell, 0) > self.minutes * 60:
                    if not number:
                        self.left_out.append(name)
                    continue
                started = monotonic()
                try:
                    for row in group.measure(stage, self.sizes, self.workloads):
                        yield {"system": stage.system.name, "round": number, **row}
                except Exception as error:  # noqa: BLE001  one system's trouble must not cost the others their results
                    what = str(error) if isinstance(error, ChildError | MiscountError) else repr(error)
                    failed.add(cell)
                    self.errors.append(
                        {"system": stage.system.name, "workloads": "+".join(group.workloads), "error": what}
                    )
                    say(f"{name}: {what}")
                took[cell] = monotonic() - started
                say(f"round {number + 1}: {name}: {took[cell]:.1f} s")

    def _cells(self, number: int) -> Iterable[tuple[Group, Stage]]:
        for group in GROUPS:
            if set(group.workloads) & set(self.workloads):
                for stage in self.stages:
                    if _takes_part(stage, group) and (self.is_thorough or not number or stage.system.is_contender):
                        yield group, stage


def _takes_part(stage: Stage, group: Group) -> bool:
    system = stage.system
    return (
        (group.on_redis or system.store == "postgres")
        and (not group.on_defaults or system.default is not None)
        and (not group.needs_sender or system.has_sender)
    )
