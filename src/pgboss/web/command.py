"""What ``pgboss serve`` runs: one application a site, all behind one address."""

from __future__ import annotations

import socket
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from secrets import token_urlsafe

from fastapi import FastAPI
from starlette.types import ASGIApp

from pgboss.boss import PgBoss
from pgboss.boss.signals import stop_signals
from pgboss.jobs import Jobs
from pgboss.web.application import app
from pgboss.web.opening import opened
from pgboss.web.options import WebOptions
from pgboss.web.serving import address_of, served
from pgboss.web.sites import Place, together

__all__ = ["Service", "serve_sites"]


@dataclass(frozen=True, slots=True)
class Service:
    """What to serve, to whom and where.

    Attributes:
        places: the databases; several have a name, which is their path.
        options: who may do what.
        listener: the socket.
        root_path: the path that a proxy in front serves all this under, without a slash at its end.
        jobs: definitions that say what payloads look like.
    """

    places: Sequence[Place]
    options: WebOptions
    listener: socket.socket
    root_path: str = ""
    jobs: Jobs = field(default_factory=Jobs)


async def serve_sites(service: Service, *, on_ready: Callable[[str], None]) -> None:
    """Serve until SIGTERM or SIGINT; the instances are opened meanwhile, however long their databases are away.

    Args:
        service: what, to whom and where.
        on_ready: told the address.
    """
    webs = _applications(service)

    def close() -> None:
        for web in webs.values():
            web.state.site.close()

    with stop_signals(close) as told:
        async with AsyncExitStack() as stack:
            for web in webs.values():
                await stack.enter_async_context(opened(web.state.site, wait=False))
            await stack.enter_async_context(
                served(_behind_one(webs), service.listener, before_stop=close, root_path=service.root_path)
            )
            on_ready(address_of(service.listener) + service.root_path)
            await told.wait()


def _applications(service: Service) -> dict[str, FastAPI]:
    # One login for all of them: a secret and a path that they share.
    options = replace(
        service.options,
        session_secret=service.options.session_secret or token_urlsafe(32),
        session_path=service.root_path or "/",
    )
    return {place.name: app(_boss(place), options, name=place.name, jobs=service.jobs) for place in service.places}


def _behind_one(webs: dict[str, FastAPI]) -> ASGIApp:
    return webs[""] if "" in webs else together(webs)


def _boss(place: Place) -> PgBoss:
    """An instance that looks and acts, and runs nothing by itself."""
    return PgBoss(
        place.dsn,
        schema=place.schema,
        work=False,
        supervise=False,
        schedule=False,
        migrate=False,
        register_instance=False,
    )
