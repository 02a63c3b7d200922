"""How the API and the dashboard are set up: options in code, and settings from the environment beneath them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

from pgboss.errors import ConfigurationError
from pgboss.settings import load_settings
from pgboss.web.access import ApiKey, Principal
from pgboss.web.keys import read_keys, read_list

if TYPE_CHECKING:
    from starlette.requests import HTTPConnection

__all__ = ["Authenticate", "WebOptions"]

SHORTEST_SECRET = 16

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

    def __post_init__(self) -> None:
        if self.session_secret is not None and len(self.session_secret) < SHORTEST_SECRET:
            raise ConfigurationError(
                f"The secret of sessions (PGBOSS_SESSION_SECRET) needs at least {SHORTEST_SECRET} characters: "
                "whoever guesses it can forge the forms of others."
            )
        names = [key.name for key in self.keys]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ConfigurationError(f"Each key needs a name of its own; {', '.join(twice)} is there more than once.")

    @classmethod
    def from_environment(cls, **given: Any) -> WebOptions:
        """What ``PGBOSS_API_KEYS``, ``PGBOSS_READ_ONLY`` and the others say, beneath the options that are given.

        Raises:
            ConfigurationError: a variable, or an option, has an unusable value.
        """
        settings = load_settings()
        found: dict[str, Any] = {
            "keys": read_keys(settings.pgboss_api_keys),
            "read_only": settings.pgboss_read_only,
            "redact": frozenset(read_list(settings.pgboss_redact)),
            "session_secret": settings.pgboss_session_secret or None,
            "max_body_bytes": settings.pgboss_max_request_bytes,
        }
        return cls(**(found | given))
