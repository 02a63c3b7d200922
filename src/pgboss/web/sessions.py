"""Sessions of people who have logged in with a key, and the tokens that prove that a form came from our own page.

A session is a signed cookie; nothing is stored here. It names its key and holds a proof of the key's secret, so it ends
when the key is taken away or changed, and nobody who learns the secret of the sessions can make one without a key.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from hashlib import sha256
from hmac import compare_digest
from hmac import digest as hmac_digest
from secrets import token_urlsafe

from starlette.requests import HTTPConnection
from starlette.responses import Response

from pgboss.web.access import ApiKey
from pgboss.web.cookies import SignedCookie

__all__ = ["Session", "Sessions"]

COOKIE = "pgboss_session"


@dataclass(frozen=True, slots=True)
class Session:
    """Somebody's browser, by which it is known again.

    Attributes:
        id: chosen at random, anew when somebody logs in.
        key: the name of the key that was shown; empty before.
        proof: made of that key's secret.
    """

    id: str
    key: str = ""
    proof: str = ""


class Sessions:
    """Begins, finds and ends sessions."""

    def __init__(self, keys: Iterable[ApiKey], *, secret: str, seconds: int, path: str | None = None) -> None:
        self._secret = secret.encode()
        self._keys = {key.name: key for key in keys}
        self._cookie = SignedCookie(COOKIE, secret, seconds=seconds, path=path)

    def begin(self, response: Response, connection: HTTPConnection, session: Session) -> None:
        """Have the browser show this session from now on."""
        self._cookie.put(response, connection, asdict(session))

    def end(self, response: Response, connection: HTTPConnection) -> None:
        """Have the browser forget its session."""
        self._cookie.clear(response, connection)

    def found(self, connection: HTTPConnection) -> Session | None:
        """The session that a browser shows."""
        content = self._cookie.read(connection)
        return None if content is None else Session(**content)

    def of(self, key: ApiKey | None) -> Session:
        """A new session: of whoever has this key, or of nobody yet."""
        id = token_urlsafe(16)
        return Session(id) if key is None else Session(id, key.name, self._proof(key))

    def key_of(self, session: Session | None) -> ApiKey | None:
        """The key that a session was begun with, if it still holds."""
        key = self._keys.get(session.key) if session is not None else None
        if session is None or key is None or not compare_digest(self._proof(key), session.proof):
            return None
        return key

    def token(self, owner: str) -> str:
        """What a form must hold that is sent by this session, or by this principal where there is none."""
        return self._mac(f"form\0{owner}")

    def _proof(self, key: ApiKey) -> str:
        return self._mac(f"key\0{key.name}\0{key.right}\0{key.secret}")

    def _mac(self, text: str) -> str:
        return hmac_digest(self._secret, text.encode(), sha256).hex()
