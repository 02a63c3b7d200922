"""Rendering pages: one environment for all templates, and what every page is given."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse

from pgboss.web.dashboard.addresses import here
from pgboss.web.dashboard.formats import FILTERS
from pgboss.web.paths import base_of

__all__ = ["NAVIGATION", "page"]

# Name, path and label of each page there is.
NAVIGATION = (
    ("overview", "/", "Overview"),
    ("queues", "/queues", "Queues"),
    ("jobs", "/jobs", "Jobs"),
    ("failures", "/failures", "Failures"),
    ("schedules", "/schedules", "Schedules"),
    ("send", "/send", "Send a job"),
    ("instances", "/instances", "Instances"),
    ("warnings", "/warnings", "Warnings"),
    ("builds", "/builds", "Index builds"),
    ("audit", "/audit", "Record"),
)
FOR_WRITERS = frozenset({"send"})
"""Pages that are of no use to those who may only look, and refuse them."""

_environment = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    enable_async=False,
)
_environment.filters.update(FILTERS)


def page(
    request: Request, template: str, context: Mapping[str, Any] | None = None, *, at: str = "", status: int = 200
) -> HTMLResponse:
    """A page, or a fragment of one.

    Besides the context, templates are given

    - ``base``: the path this application lives under, without a slash at its end; it begins every link;
    - ``here``: the address of the page;
    - ``navigation``, and ``at``: which entry of it is current;
    - ``site``, and ``sites``: the name of each that this server has, where there are several, and the same page there;
    - ``principal``: who looks, which may be nobody where a problem is told;
    - ``may_write``: without it, pages offer no actions;
    - ``is_logged_in``: whether there is a session to end;
    - ``csrf_token``, for a hidden field of that name in every form;
    - ``flash``: what a change that was just made has to say, once; ``None`` in fragments.
    """
    principal = getattr(request.state, "principal", None)
    may_write = principal is not None and principal.may_write
    given = {
        "base": base_of(request),
        "here": here(request),
        "navigation": [entry for entry in NAVIGATION if may_write or entry[0] not in FOR_WRITERS],
        "at": at,
        "site": request.app.state.site,
        "sites": _sites(request, at),
        "principal": principal,
        "may_write": may_write,
        "is_logged_in": principal is not None and getattr(request.state, "session", None) is not None,
        "csrf_token": getattr(request.state, "csrf_token", ""),
        "flash": None,
    }
    flashes = request.app.state.flashes
    # A fragment that renews itself must not take away what the whole page is to say.
    flash = flashes.read(request) if "hx-request" not in request.headers else None
    given["flash"] = flash
    response = HTMLResponse(_environment.get_template(template).render(given | dict(context or {})), status)
    if flash is not None:
        flashes.clear(response, request)
    return response


def _sites(request: Request, at: str) -> list[tuple[str, str]]:
    """Each lives under its name, beside this one. A single queue or job of this one leads to the list of theirs."""
    section = next((path for name, path, _ in NAVIGATION if name == at), "/")
    beside = base_of(request).removesuffix(f"/{request.app.state.site.name}")
    return [(name, f"{beside}/{name}{section}") for name in request.app.state.sites]
