"""Limits on how many jobs of one group run at once: one for all groups, and others by tier."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from pgboss.core.checks import check_integer, filled_text, text
from pgboss.errors import ValidationError

__all__ = ["GroupConcurrency", "GroupLimits", "group_concurrency", "group_ids"]


@dataclass(frozen=True, slots=True)
class GroupConcurrency:
    """How many jobs of one group may be active at once, over all processes.

    Attributes:
        default: the limit of a group, 1 or more.
        tiers: other limits, by the ``group_tier`` that a job was sent with.

    Raises:
        ValidationError: a limit is no integer of 1 or more, or a tier no text.
    """

    default: int
    tiers: Mapping[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        check_integer("group_concurrency", self.default, 1)
        if not isinstance(self.tiers, Mapping):
            raise ValidationError(
                f"group_concurrency: tiers must map the name of a tier to its limit, not {self.tiers!r}."
            )
        for tier, limit in self.tiers.items():
            filled_text("group_concurrency: a tier", tier)
            check_integer(f"group_concurrency of tier {tier!r}", limit, 1)
        object.__setattr__(self, "tiers", dict(self.tiers))

    @property
    def limits(self) -> list[int]:
        """Every limit that a group may have, once each."""
        return sorted({self.default, *self.tiers.values()})


GroupLimits: TypeAlias = int | GroupConcurrency | Mapping[str, Any]
"""How callers give limits: one number, the dataclass, or a mapping of its fields."""


def group_concurrency(name: str, value: object) -> GroupConcurrency:
    """Read limits in any of the forms that callers may give."""
    if isinstance(value, GroupConcurrency):
        return value
    if not isinstance(value, Mapping):
        return GroupConcurrency(check_integer(name, value, 1))
    unknown = sorted(str(key) for key in set(value) - {"default", "tiers"})
    if unknown or "default" not in value:
        raise ValidationError(f"{name} must hold 'default' and may hold 'tiers', and nothing else: {dict(value)!r}.")
    return GroupConcurrency(**value)


def group_ids(name: str, value: object) -> tuple[str, ...]:
    """Read a collection of group ids; a bare text is none."""
    if isinstance(value, str) or not isinstance(value, Collection):
        raise ValidationError(f"{name} must be a list of group ids, not {value!r}.")
    return tuple(text(name, group) for group in value)
