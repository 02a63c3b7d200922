"""Who asks, and what they may do."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, TypeAlias

__all__ = ["LOCAL", "ApiKey", "Principal", "Right"]

Right: TypeAlias = Literal["read", "full"]


@dataclass(frozen=True, slots=True)
class Principal:
    """Somebody who was let in.

    Attributes:
        name: what the record of actions calls them.
        right: ``read`` to look, ``full`` to change things as well.
    """

    name: str
    right: Right = "full"

    @property
    def may_write(self) -> bool:
        return self.right == "full"


LOCAL = Principal("local")
"""Whoever asks from this machine, where no credentials are configured."""


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A credential: who has it, what it allows, and the secret itself."""

    name: str
    right: Right
    secret: str = field(repr=False)
