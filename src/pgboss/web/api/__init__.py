"""The HTTP API: one router a resource, and models of what they take and give."""

from __future__ import annotations

from fastapi import APIRouter

from pgboss.web.api import (
    audit,
    builds,
    bulk,
    events,
    failures,
    health,
    instances,
    jobs,
    lineage,
    queues,
    redrive,
    schedules,
    sending,
    subscriptions,
    warnings,
)
from pgboss.web.problems import ProblemBody

__all__ = ["api_router", "health_router"]

health_router = health.router
"""At the root of the application."""

api_router = APIRouter(
    prefix="/api",
    responses={status: {"model": ProblemBody} for status in (401, 403, 404, 409, 422, 503)},
)
for resource in (
    events,
    sending,
    bulk,
    jobs,
    lineage,
    failures,
    queues,
    schedules,
    redrive,
    subscriptions,
    instances,
    warnings,
    builds,
    audit,
):
    api_router.include_router(resource.router)
