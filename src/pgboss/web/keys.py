"""Keys as the environment has them: ``name:right:secret``, several by commas."""

from __future__ import annotations

from typing import cast, get_args

from pgboss.errors import ConfigurationError
from pgboss.web.access import ApiKey, Right

__all__ = ["read_keys", "read_list"]

RIGHTS = get_args(Right)


def read_keys(text: str) -> tuple[ApiKey, ...]:
    """The keys of ``PGBOSS_API_KEYS``. A secret may hold colons, and no commas.

    Raises:
        ConfigurationError: one of them cannot be read; the message does not tell secrets.
    """
    return tuple(_key(number, one) for number, one in enumerate(read_list(text), start=1))


def read_list(text: str) -> list[str]:
    """What stands between commas."""
    return [one.strip() for one in text.split(",") if one.strip()]


def _key(number: int, text: str) -> ApiKey:
    name, right, secret = (*(part.strip() for part in text.split(":", 2)), "", "")[:3]
    if not (name and secret):
        # A whole secret may be what stands here instead of a name.
        raise _unusable(number, "it is not")
    if right not in RIGHTS:
        raise _unusable(number, f"{name!r} has neither right, and is not")
    return ApiKey(name, cast(Right, right), secret)


def _unusable(number: int, why: str) -> ConfigurationError:
    return ConfigurationError(
        f"PGBOSS_API_KEYS, key {number}: {why} name:read:secret or name:full:secret. Commas separate several keys."
    )
