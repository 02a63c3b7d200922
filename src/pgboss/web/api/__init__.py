"""The HTTP API: one router a resource, and models of what they take and give."""

from __future__ import annotations

from fastapi import APIRouter

from pgboss.web.api import events, jobs
from pgboss.web.problems import ProblemBody

__all__ = ["api_router"]

api_router = APIRouter(
    prefix="/api",
    responses={status: {"model": ProblemBody} for status in (401, 403, 404, 409, 422, 503)},
)
for resource in (events, jobs):
    api_router.include_router(resource.router)
