"""Whether the process, the database and the workers are well, for those who restart and watch them."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from pydantic import BaseModel
from starlette.responses import JSONResponse, PlainTextResponse

from pgboss.errors import PgBossError, StoppedError
from pgboss.insights import queue_metrics
from pgboss.operations.install import existing
from pgboss.prometheus.queues import QueueFigures
from pgboss.web.dependencies import AnyReader, AnySite

__all__ = ["router"]

router = APIRouter(tags=["health"])


class Health(BaseModel):
    """The process answers."""

    ok: bool = True


class Readiness(BaseModel):
    """Whether it can do its work; why not, only for those who may look."""

    ready: bool
    reasons: list[str] | None = None


_NOT_READY: dict[str, Any] = {"model": Readiness, "description": "It cannot do its work."}


@router.get("/health")
async def get_health() -> Health:
    """The process is up; nothing else is looked at."""
    return Health()


@router.get("/ready", response_model_exclude_none=True, responses={503: _NOT_READY})
async def get_ready(request: Request, site: AnySite) -> Readiness:
    """The database answers, its schema is one that this release can use, and workers run if they should."""
    reasons = await _reasons(site)
    may_look = request.state.principal is not None
    answer = Readiness(ready=not reasons, reasons=reasons if reasons and may_look else None)
    return JSONResponse(answer.model_dump(exclude_none=True), 503) if reasons else answer  # type: ignore[return-value]  # the same model


@router.get("/metrics", response_class=PlainTextResponse, responses={401: {"description": "Nobody who may look."}})
async def get_metrics(site: AnySite, reader: AnyReader) -> Any:
    """All queues, and the workers of this process, as Prometheus reads them."""
    try:
        found = await site.read(queue_metrics(site.schema))
    except PgBossError:
        found = None
    registry = CollectorRegistry(auto_describe=False)
    registry.register(QueueFigures(found))
    registry.register(site.workers)
    return PlainTextResponse(generate_latest(registry), media_type=CONTENT_TYPE_PLAIN_0_0_4)


async def _reasons(site: AnySite) -> list[str]:
    try:
        state = await site.read(existing(site.schema))
    except StoppedError as error:
        return [str(site.problem or error)]
    except PgBossError as error:
        return [str(error)]
    if state is None:
        return [f"pg-boss is not installed in the schema {site.schema.configured}."]
    return [] if site.is_working_as_meant else ["Its workers have stopped."]
