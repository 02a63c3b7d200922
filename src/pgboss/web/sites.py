"""Several sites behind one address: each is the same application at a path of its own."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from fastapi import FastAPI
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Mount, Route

from pgboss.errors import ConfigurationError

__all__ = ["Place", "check_site_names", "read_place", "together"]

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
TAKEN = frozenset({"health"})
SCHEMA = re.compile(r"\w+|\"[^\"]+\"")


@dataclass(frozen=True, slots=True)
class Place:
    """Where a site's jobs are; ``schema`` is ``None`` for the configured one."""

    name: str
    dsn: str = field(repr=False)
    schema: str | None = None


def read_place(text: str) -> Place:
    """What ``name=dsn`` or ``name=dsn#schema`` says. The connection string may hold both signs.

    Raises:
        ConfigurationError: there is no name, or no connection string.
    """
    name, _, rest = text.strip().partition("=")
    dsn, _, schema = rest.rpartition("#")
    if not (dsn and SCHEMA.fullmatch(schema)):
        dsn, schema = rest, ""
    if not (NAME.fullmatch(name) and dsn.strip()):
        # A connection string may hold a password.
        raise ConfigurationError(
            "A site is given as NAME=DSN or NAME=DSN#SCHEMA, as in billing=postgresql://…/billing."
        )
    return Place(name, dsn.strip(), schema or None)


def check_site_names(names: list[str]) -> None:
    """Names are paths, too.

    Raises:
        ConfigurationError: one cannot be, or is there twice.
    """
    for name in names:
        if not NAME.fullmatch(name) or name in TAKEN:
            raise ConfigurationError(
                f"A site cannot be called {name!r}: take letters, digits, '-', '_' and '.', and not 'health'."
            )
        if names.count(name) > 1:
            raise ConfigurationError(f"Each site needs a name of its own; there are several called {name!r}.")


def together(sites: Mapping[str, FastAPI]) -> Starlette:
    """Serve each under its name, and lead whoever asks for the root to the first.

    Raises:
        ConfigurationError: a name cannot be a path.
    """
    names = list(sites)
    check_site_names(names)
    for web in sites.values():
        web.state.sites = tuple(names)

    async def to_the_first(request: Request) -> Response:
        return RedirectResponse(f"{request.scope.get('root_path', '').rstrip('/')}/{names[0]}/", 307)

    async def health(request: Request) -> Response:
        return JSONResponse({"ok": True})

    mounts = [Mount(f"/{name}", web) for name, web in sites.items()]
    return Starlette(routes=[Route("/", to_the_first), Route("/health", health), *mounts])
