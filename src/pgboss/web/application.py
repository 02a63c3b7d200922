"""The ASGI application: the API and the dashboard of one site, or of several."""

from __future__ import annotations

from importlib.metadata import version

from fastapi import FastAPI

from pgboss.boss import PgBoss
from pgboss.web.api import api_router, health_router
from pgboss.web.dashboard import add_dashboard
from pgboss.web.guard import Guard
from pgboss.web.headers import SecurityHeaders
from pgboss.web.options import WebOptions
from pgboss.web.problems import add_handlers
from pgboss.web.site import Site

__all__ = ["app"]


def app(boss: PgBoss, options: WebOptions | None = None) -> FastAPI:
    """The API and the dashboard of an instance, to be served or mounted under any path.

    The instance is started and stopped by whoever made it; a mounted application has no start of its own.

    Args:
        boss: what to show. It may work jobs, too; ``PgBoss(work=False)`` only looks and acts.
        options: who may do what; by default whoever asks from this machine may do everything, and nobody else anything.
    """
    options = options or WebOptions()
    made = FastAPI(
        title="pgboss", version=version("pgboss"), openapi_url="/openapi.json", docs_url=None, redoc_url=None
    )
    made.state.site = Site(boss, name="", query_seconds=options.query_seconds)
    made.state.options = options
    made.include_router(api_router)
    made.include_router(health_router)
    add_dashboard(made)
    add_handlers(made)
    made.add_middleware(Guard, options=options)
    made.add_middleware(SecurityHeaders)
    return made
