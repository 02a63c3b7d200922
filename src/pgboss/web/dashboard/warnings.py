"""What instances have warned of."""

from __future__ import annotations

from uuid import UUID

from fastapi import APIRouter, Request
from pydantic import AwareDatetime
from starlette.responses import HTMLResponse

from pgboss.core.warnings import StoredWarning
from pgboss.operations.warnings import get_warnings
from pgboss.web.dashboard.addresses import here
from pgboss.web.dashboard.pages import page
from pgboss.web.dependencies import AnyReader, AnySite, Options
from pgboss.web.redaction import redacted

__all__ = ["router"]

router = APIRouter()

PAGE = 50
KINDS = (
    "autovacuum_disabled",
    "clock_skew",
    "handler_overrun",
    "index_bloat",
    "invalid_schedule",
    "listen_notify_unavailable",
    "monitor_backoff",
    "queue_backlog",
    "slow_query",
    "start_retry",
    "transactional_pool_headroom",
    "xmin_horizon",
)
"""Those that are ours; any other may stand in the address."""


@router.get("/warnings")
async def list_warnings(
    request: Request,
    site: AnySite,
    reader: AnyReader,
    options: Options,
    type: str = "",
    before_at: AwareDatetime | None = None,
    before_id: UUID | None = None,
) -> HTMLResponse:
    is_first = before_at is None or before_id is None
    before = None if before_at is None or before_id is None else StoredWarning(before_id, "", "", None, before_at)
    found = await site.read(get_warnings(site.schema, type or None, limit=PAGE, before=before))
    last = found[-1] if len(found) == PAGE else None
    context = {
        "warnings": [(one, redacted(one.data, options.redact)) for one in found],
        "type": type,
        "kinds": KINDS if not type or type in KINDS else (*KINDS, type),
        "first": None if is_first else here(request, before_at=None, before_id=None),
        "next": last and here(request, before_at=last.created_on.isoformat(), before_id=last.id),
    }
    return page(request, "warnings.html", context, at="warnings")
