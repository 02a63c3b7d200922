"""How the API and the dashboard are set up: options in code, and settings from the environment beneath them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

from pgboss.web.access import ApiKey, Principal

if TYPE_CHECKING:
    from starlette.requests import HTTPConnection

__all__ = ["Authenticate", "WebOptions"]

Authenticate: TypeAlias = "Callable[[HTTPConnection], Principal | None]"
"""Says who asks, or ``None`` when nobody may: for applications that know their users."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WebOptions:
    """What may be seen and done, and by whom.

    Attributes:
        keys: the credentials that are accepted. Without any, and without ``authenticate``, only this machine may ask.
        authenticate: asked instead of looking at keys and sessions.
        read_only: nobody may change anything.
        redact: names of keys in data and outputs whose values are not shown, whatever their case.
        session_secret: signs the cookies of those who log in; by default one that lasts as long as the process.
        session_seconds: how long a login holds.
        session_path: which paths of this host get the cookies; by default the one the application lives under.
        query_seconds: the longest that one statement may take.
        max_body_bytes: the largest request that is read.
    """

    keys: tuple[ApiKey, ...] = ()
    authenticate: Authenticate | None = None
    read_only: bool = False
    redact: frozenset[str] = frozenset()
    session_secret: str | None = field(default=None, repr=False)
    session_seconds: int = 12 * 60 * 60
    session_path: str | None = None
    query_seconds: float = 10.0
    max_body_bytes: int = 16 * 1024 * 1024
