"""Starting an instance behind an application, however long its database is away, and stopping it again."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

from fastapi import FastAPI

from pgboss.errors import ConfigurationError, PgBossError, StoppedError, ValidationError
from pgboss.web.signals import on_stop_signals
from pgboss.web.site import Site

__all__ = ["lifespan", "opened"]

RETRY_SECONDS = 2.0

logger = logging.getLogger("pgboss.web")


def lifespan(web: FastAPI) -> Callable[[Any], AbstractAsyncContextManager[None]]:
    """The lifespan of an application that has this one mounted: starts its instance, and stops it at the end.

    While the database is away the application starts all the same: pages and the API say why nothing can be seen, and
    recover by themselves. Where there is a lifespan already, it is entered there.

    Args:
        web: what :func:`pgboss.web.app` has made.

    Example:
        dashboard = pgboss.web.app(PgBoss(work=False))
        application = FastAPI(lifespan=pgboss.web.lifespan(dashboard))
        application.mount("/pgboss", dashboard)

        @asynccontextmanager
        async def my_lifespan(application):
            async with pgboss.web.lifespan(dashboard)(application):
                yield
    """

    @asynccontextmanager
    async def live(application: Any) -> AsyncIterator[None]:
        site: Site = web.state.site
        async with opened(site):
            # Servers wait for open streams before they end the lifespan.
            with on_stop_signals(site.close):
                yield

    return live


@asynccontextmanager
async def opened(site: Site, *, wait: bool = True) -> AsyncIterator[None]:
    """Have an instance started as soon as possible, and stopped at the end; one that runs already is left alone.

    Args:
        site: whose instance.
        wait: begin the block after the first attempt, so that it has started unless the database is away.

    Raises:
        ConfigurationError: its settings are unusable.
    """
    if site.boss._is_running:  # noqa: SLF001  as the site does
        yield
        return
    site.problem = StoppedError("The database has not been reached yet.")
    tried = asyncio.Event()
    starting = asyncio.create_task(_start(site, tried), name="pgboss web start")
    try:
        if wait:
            await tried.wait()
            if starting.done():
                starting.result()
        yield
    finally:
        starting.cancel()
        await asyncio.wait((starting,))
        site.close()
        await site.boss.stop()


async def _start(site: Site, tried: asyncio.Event) -> None:
    try:
        while (problem := await _attempt(site)) is not None:
            if str(problem) != str(site.problem):
                logger.warning("cannot open %s, and will try again and again: %s", _called(site), problem)
            site.problem = problem
            tried.set()
            await asyncio.sleep(RETRY_SECONDS)
        logger.info("opened %s", _called(site))
        site.problem = None
    finally:
        tried.set()


async def _attempt(site: Site) -> PgBossError | None:
    """Why it cannot be started now; what is wrong with the settings will not get better, and is raised."""
    try:
        await site.boss.start()
    except (ConfigurationError, ValidationError) as error:
        site.problem = error
        raise
    except PgBossError as error:
        return error
    return None


def _called(site: Site) -> str:
    return f"the site {site.name}" if site.name else "the database"
