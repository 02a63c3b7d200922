"""Finding out whose key is shown, without helping those who guess."""

from __future__ import annotations

from hmac import compare_digest

from starlette.requests import HTTPConnection

from pgboss.web.access import ApiKey
from pgboss.web.attempts import Attempts

__all__ = ["Keyring"]


class Keyring:
    """All keys, and how often somebody has shown one that is not among them."""

    def __init__(self, keys: tuple[ApiKey, ...], *, attempts: Attempts | None = None) -> None:
        self._keys = keys
        self._attempts = attempts or Attempts()

    def key_with(self, secret: str, connection: HTTPConnection) -> ApiKey | None:
        """The key that has this secret.

        Raises:
            Problem: this address has shown too many wrong ones.
        """
        self._attempts.check(connection)
        # All of them are compared, whichever fits: how long it takes tells nothing.
        fitting = [key for key in self._keys if compare_digest(key.secret.encode(), secret.encode())]
        if not fitting:
            self._attempts.failed(connection)
        return fitting[0] if fitting else None
