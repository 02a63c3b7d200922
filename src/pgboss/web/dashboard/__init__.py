"""The dashboard: pages made on the server, kept live by htmx and drawn on by uPlot."""

from __future__ import annotations

from pathlib import Path

from fastapi import FastAPI
from starlette.staticfiles import StaticFiles

from pgboss.web.dashboard import (
    audit,
    builds,
    failures,
    instances,
    job,
    jobs,
    jobs_act,
    login,
    overview,
    queue,
    queues,
    schedule_form,
    schedules,
    send,
    warnings,
)

__all__ = ["VIEWS", "add_dashboard"]

# The page that acts on many jobs comes before that of one, whose id could be anything.
VIEWS = (
    login,
    overview,
    queues,
    queue,
    jobs_act,
    jobs,
    job,
    failures,
    schedules,
    schedule_form,
    send,
    instances,
    warnings,
    builds,
    audit,
)
STATIC = Path(__file__).parent / "static"


def add_dashboard(app: FastAPI) -> None:
    """Add the pages and what they load."""
    app.mount("/static", StaticFiles(directory=STATIC), name="static")
    for view in VIEWS:
        app.include_router(view.router, include_in_schema=False)
