"""The dashboard: pages made on the server, kept live by htmx and drawn on by uPlot."""

from __future__ import annotations

from pathlib import Path

from fastapi import FastAPI
from starlette.staticfiles import StaticFiles

from pgboss.web.dashboard import audit, login, overview

__all__ = ["VIEWS", "add_dashboard"]

VIEWS = (login, overview, audit)
STATIC = Path(__file__).parent / "static"


def add_dashboard(app: FastAPI) -> None:
    """Add the pages and what they load."""
    app.mount("/static", StaticFiles(directory=STATIC), name="static")
    for view in VIEWS:
        app.include_router(view.router, include_in_schema=False)
