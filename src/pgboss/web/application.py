"""The ASGI application: the API and the dashboard of one site, or of several."""

from __future__ import annotations

from collections.abc import Iterable
from importlib.metadata import version
from secrets import token_urlsafe
from typing import Any

from fastapi import FastAPI

from pgboss.boss import PgBoss
from pgboss.jobs import JobDefinition
from pgboss.web.answers import add_handlers
from pgboss.web.api import api_router, health_router
from pgboss.web.body_limit import BodyLimit
from pgboss.web.cookies import SignedCookie
from pgboss.web.dashboard import add_dashboard
from pgboss.web.guard import Guard
from pgboss.web.headers import SecurityHeaders
from pgboss.web.keyring import Keyring
from pgboss.web.opening import lifespan
from pgboss.web.options import WebOptions
from pgboss.web.sessions import Sessions
from pgboss.web.site import Site

__all__ = ["app"]

FLASH_SECONDS = 60
"""What a change has to say is to be seen on the page that follows it, and no later."""


def app(
    boss: PgBoss, options: WebOptions | None = None, *, name: str = "", jobs: Iterable[JobDefinition[Any, Any]] = ()
) -> FastAPI:
    """The API and the dashboard of an instance, to be served or mounted under any path.

    Served by itself, it starts and stops the instance, unless that runs already. Mounted, it has no start of its own:
    see :func:`pgboss.web.lifespan`.

    Args:
        boss: what to show. It may work jobs, too; ``PgBoss(work=False)`` only looks and acts.
        options: who may do what; by default what the environment says. Without keys there, whoever asks from this
            machine may do everything, and nobody else anything.
        name: what this site is called where there are several.
        jobs: definitions that say what payloads look like, beside those that the instance was made with. Nothing is
            worked or created because of them.

    Raises:
        ConfigurationError: the environment has unusable values.
    """
    options = options or WebOptions.from_environment()
    made = FastAPI(
        title="pgboss",
        version=version("pgboss"),
        openapi_url="/openapi.json",
        docs_url=None,
        redoc_url=None,
        lifespan=lambda served: lifespan(served)(served),
    )
    # Without a secret of theirs, whoever starts this process anew asks everybody to log in again.
    secret = options.session_secret or token_urlsafe(32)
    sessions = Sessions(options.keys, secret=secret, seconds=options.session_seconds, path=options.session_path)
    made.state.site = Site(boss, name=name, query_seconds=options.query_seconds, jobs=jobs)
    made.state.sites = ()
    made.state.options = options
    made.state.sessions = sessions
    made.state.keyring = keyring = Keyring(options.keys)
    made.state.has_login = bool(options.keys) and options.authenticate is None
    made.state.flashes = SignedCookie("pgboss_flash", secret, seconds=FLASH_SECONDS)
    made.include_router(api_router)
    made.include_router(health_router)
    add_dashboard(made)
    add_handlers(made)
    # The last that is added is the first that sees a request.
    made.add_middleware(BodyLimit, max_bytes=options.max_body_bytes)
    made.add_middleware(Guard, options=options, sessions=sessions, keyring=keyring)
    made.add_middleware(SecurityHeaders)
    return made
