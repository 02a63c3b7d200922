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

# Said here, because Python's own words for a status differ from version to version.
_PROBLEMS = {
    401: "Nobody who may ask.",
    403: "Somebody who may not do this.",
    404: "There is no such thing.",
    409: "Not as things stand now.",
    413: "The request is too large.",
    422: "The request is not as it should be.",
    429: "Too many wrong keys came from this address.",
    503: "The database does not answer, or not in time.",
}

api_router = APIRouter(
    prefix="/api",
    responses={status: {"model": ProblemBody, "description": what} for status, what in _PROBLEMS.items()},
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
