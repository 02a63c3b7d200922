"""Who did what."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from fastapi import APIRouter
from pydantic import AwareDatetime, BaseModel

from pgboss.operations.audit import AuditEntry, get_audit
from pgboss.web.api.paging import Limit
from pgboss.web.dependencies import AnyReader, AnySite, Options
from pgboss.web.redaction import redacted

__all__ = ["router"]

router = APIRouter(prefix="/audit", tags=["audit"])


class AuditEntryBody(BaseModel):
    """An action that somebody took by the API or the dashboard: who, and to what and how."""

    id: int
    done_at: AwareDatetime
    who: str
    action: str
    what: Any


class AuditPage(BaseModel):
    """Some actions; ``next`` is the ``before`` of the next page, if there may be one."""

    entries: list[AuditEntryBody]
    next: int | None


@router.get("")
async def list_audit(
    site: AnySite,
    reader: AnyReader,
    options: Options,
    before: int | None = None,
    since: AwareDatetime | None = None,
    limit: Limit = 100,
) -> AuditPage:
    """Actions, newest first; ``since`` keeps those from that time on."""
    found = await site.read(get_audit(site.schema, before=before, since=since, limit=limit))
    entries = [_body(one, options.redact) for one in found]
    return AuditPage(entries=entries, next=found[-1].id if len(found) == limit else None)


def _body(entry: AuditEntry, names: frozenset[str]) -> AuditEntryBody:
    fields = asdict(entry) | {"done_at": entry.done_on, "what": redacted(dict(entry.what), names)}
    return AuditEntryBody.model_validate(fields)
