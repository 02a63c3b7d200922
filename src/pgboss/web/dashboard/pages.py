"""Rendering pages: one environment for all templates, and what every page is given."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse

__all__ = ["NAVIGATION", "page"]

# Name, path and label of each page there is.
NAVIGATION = (("overview", "/", "Overview"),)

_environment = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    enable_async=False,
)


def page(
    request: Request, template: str, context: Mapping[str, Any] | None = None, *, at: str = "", status: int = 200
) -> HTMLResponse:
    """A page, or a fragment of one.

    Templates are given ``base`` (the path this application lives under, without a slash at its end), ``navigation``,
    ``at`` (which entry of it is current), ``site``, ``principal`` and ``csrf_token``, besides the context.
    """
    given = {
        "base": request.scope.get("root_path", "").rstrip("/"),
        "navigation": NAVIGATION,
        "at": at,
        "site": request.app.state.site,
        "principal": request.state.principal,
        "csrf_token": getattr(request.state, "csrf_token", ""),
    }
    return HTMLResponse(_environment.get_template(template).render(given | dict(context or {})), status)
