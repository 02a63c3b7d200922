"""Dead rows that are not removed, and who keeps them: docs/compatibility.md, "Dead rows"."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

__all__ = ["HOLDERS", "DeadRows", "Holder", "Horizon", "Judgement", "VacuumHistory"]

HOLDERS: Final = {
    "backends": "a backend with an open transaction",
    "slots": "a replication slot",
    "slotsCatalog": "a replication slot, for the system catalogs",
    "standbys": "a standby with hot_standby_feedback",
    "prepared": "a prepared transaction",
}
"""Who can hold the horizon back: by pg-boss's names of the places to look, what each of them shows."""


@dataclass(frozen=True, slots=True)
class DeadRows:
    """What the server knows of a job table's rows, and when it means to remove the dead ones.

    Attributes:
        name: the table.
        live: how many rows live.
        dead: how many are dead and not removed.
        vacuumed_on: when it was last vacuumed, by whomever.
        vacuum_age_seconds: how long ago.
        threshold: with how many dead rows autovacuum begins,
        scale_factor: and how many more for each that lives.
        is_vacuumed: whether autovacuum looks after it at all.
    """

    name: str
    live: int
    dead: int
    vacuumed_on: datetime | None
    vacuum_age_seconds: int | None
    threshold: float
    scale_factor: float
    is_vacuumed: bool

    @property
    def budget(self) -> float:
        """How many dead rows autovacuum leaves alone."""
        return self.threshold + self.scale_factor * self.live

    @property
    def whole_budget(self) -> int:
        """The same as a whole number, rounded as JavaScript does."""
        return math.floor(self.budget + 0.5)

    def has_been_vacuumed_since(self, before: DeadRows) -> bool:
        return self.vacuumed_on is not None and (before.vacuumed_on is None or self.vacuumed_on > before.vacuumed_on)


@dataclass(frozen=True, slots=True)
class Judgement:
    """What two looks at the job tables have shown.

    Attributes:
        stuck: tables of which a vacuum has removed nothing.
        unvacuumed: tables that autovacuum passes over, whose dead rows grow.
        is_within_budget: whether no table that autovacuum looks after has too many dead rows,
        is_within_budget_without: and whether none has that it passes over.
    """

    stuck: Sequence[DeadRows]
    unvacuumed: Sequence[DeadRows]
    is_within_budget: bool
    is_within_budget_without: bool


class VacuumHistory:
    """What was last seen of the tables with too many dead rows: one look alone shows only that there are some."""

    def __init__(self) -> None:
        self._before: dict[str, DeadRows] = {}

    def judge(self, tables: Sequence[DeadRows]) -> Judgement:
        """Compare with the look before, and remember this one."""
        over = [table for table in tables if table.dead > table.budget]
        pairs = [(self._before[table.name], table) for table in over if table.name in self._before]
        self._before = {table.name: table for table in over}
        return Judgement(
            stuck=[
                table
                for before, table in pairs
                if table.is_vacuumed and table.has_been_vacuumed_since(before) and table.dead >= before.dead
            ],
            unvacuumed=[
                table
                for before, table in pairs
                if not table.is_vacuumed and table.vacuumed_on == before.vacuumed_on and table.dead > before.dead
            ],
            is_within_budget=not any(table.is_vacuumed for table in over),
            is_within_budget_without=all(table.is_vacuumed for table in over),
        )


@dataclass(frozen=True, slots=True)
class Holder:
    """Who holds the horizon back, and how many transactions; a backend as far as our role may see it."""

    source: str
    age: int
    pid: int | None = None
    application_name: str | None = None
    user_name: str | None = None
    state: str | None = None
    seconds: int | None = None
    is_ours: bool | None = None

    @property
    def kind(self) -> str:
        return HOLDERS[self.source]

    def __str__(self) -> str:
        if self.pid is None:
            return self.kind
        known = [f"pid {self.pid}"]
        known += [f"application_name {self.application_name!r}"] if self.application_name else []
        known += [f"role {self.user_name}"] if self.user_name else []
        known += [self.state] if self.state else []
        since = "for how long, our role may not see" if self.seconds is None else f"open for {self.seconds} s"
        # Without a name it may be anybody's.
        whose = ", of pg-boss itself" if self.is_ours else ", of another application" if self.application_name else ""
        return f"{self.kind}{whose} ({', '.join(known)}; {since})"


@dataclass(frozen=True, slots=True)
class Horizon:
    """Who holds it back the furthest, and what could not be seen.

    Attributes:
        holder: nobody, if none was found.
        opaque: how many backends our role cannot see the age of.
        oldest_seconds: since when the oldest transaction is open.
        unreadable: places where our role may not look.
        error: what the last of them said.
    """

    holder: Holder | None
    opaque: int
    oldest_seconds: int | None
    unreadable: Sequence[str]
    error: str | None
