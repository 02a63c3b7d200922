"""When something recurs, written as a cron expression or as a recurrence rule: one reading of both.

Which of the two an expression is follows from how it looks, once, when a schedule is made; its row says so from then
on. Time is given here in milliseconds since 1970, as clocks give it; occurrences are whole seconds.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Literal, TypeAlias

from pgboss.core import rrule_walk
from pgboss.core.cron import Cron, read_cron
from pgboss.core.cron_walk import CronWalk
from pgboss.core.rrule import Rule, looks_like_rrule, read_rrule
from pgboss.core.zones import Zone, zone_named
from pgboss.errors import ValidationError

__all__ = ["CRON", "RRULE", "Kind", "Recurrence", "kind_of", "read"]

Kind: TypeAlias = Literal["cron", "rrule"]
CRON: Kind = "cron"
RRULE: Kind = "rrule"
MILLISECONDS = 1000


class Recurrence(ABC):
    """What recurs; instants in milliseconds."""

    @property
    @abstractmethod
    def zone(self) -> Zone:
        """In whose time it counts: a rule may name its own."""

    @abstractmethod
    def later_than(self, instant: int) -> Iterator[int]:
        """The occurrences after an instant, in order; finite rules come to an end.

        Raises:
            ValidationError: the next one is beyond reach.
        """

    @abstractmethod
    def due(self, after: int, until: int) -> list[int]:
        """What a pass sends that looks at this window, its end included: all of a rule's, the last one of a cron's."""

    @abstractmethod
    def latest(self, after: int, until: int) -> int | None:
        """The last occurrence in this range, its end included."""


def kind_of(expression: str) -> Kind:
    """What an expression is meant as."""
    return RRULE if looks_like_rrule(expression) else CRON


def read(expression: object, tz: object, kind: Kind | None = None) -> Recurrence:
    """Read an expression as this kind, or as what it looks like.

    Raises:
        ValidationError: it cannot be read so, or there is no such time zone.
    """
    if not isinstance(expression, str) or not expression.strip():
        raise ValidationError(
            f"The schedule needs a cron expression such as '0 6 * * *', or a recurrence rule, not {expression!r}."
        )
    if (kind or kind_of(expression)) == RRULE:
        if not isinstance(tz, str):
            zone_named(tz)
        return _Ruled(read_rrule(expression, str(tz)))
    return _Cron(read_cron(expression), zone_named(tz))


class _Cron(Recurrence):
    def __init__(self, cron: Cron, zone: Zone) -> None:
        self._cron, self._zone = cron, zone

    @property
    def zone(self) -> Zone:
        return self._zone

    def later_than(self, instant: int) -> Iterator[int]:
        walk = CronWalk(self._cron, self._zone, instant)
        while True:
            yield walk.next() * MILLISECONDS

    def due(self, after: int, until: int) -> list[int]:
        found = self.latest(after, until)
        return [] if found is None else [found]

    def latest(self, after: int, until: int) -> int | None:
        # A search answers with what lies before where it begins.
        found = CronWalk(self._cron, self._zone, until + 1).previous() * MILLISECONDS
        return found if found > after else None


class _Ruled(Recurrence):
    def __init__(self, rule: Rule) -> None:
        self._rule = rule

    @property
    def zone(self) -> Zone:
        return self._rule.zone

    def later_than(self, instant: int) -> Iterator[int]:
        return (found * MILLISECONDS for found in rrule_walk.between(self._rule, instant // MILLISECONDS, None))

    def due(self, after: int, until: int) -> list[int]:
        found = rrule_walk.between(self._rule, after // MILLISECONDS, until // MILLISECONDS)
        return [instant * MILLISECONDS for instant in found]

    def latest(self, after: int, until: int) -> int | None:
        found = rrule_walk.latest(self._rule, after // MILLISECONDS, until // MILLISECONDS)
        return None if found is None else found * MILLISECONDS
