"""Which jobs a list shows: what its address says, what stands in its form, and the same as a filter."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated, Final, TypeAlias
from urllib.parse import urlencode

from pydantic import BaseModel, BeforeValidator
from pydantic_core import PydanticCustomError
from starlette.requests import Request

from pgboss.core.checks import UNSET
from pgboss.core.job_filter import JobFilter, StateFilter
from pgboss.errors import ValidationError
from pgboss.operations.firing import time
from pgboss.web.dashboard.forms import Form
from pgboss.web.dashboard.json_text import JsonText
from pgboss.web.site import Site

__all__ = ["SAVED", "JobFilters", "filter_query", "filters_of", "wanted_jobs"]

_AGO = re.compile(r"(\d{1,6})\s*([smhd])", re.ASCII)
_UNITS: Final = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


def _moment(text: object) -> object:
    if not isinstance(text, str):
        return text
    if ago := _AGO.fullmatch(text.strip()):
        return timedelta(**{_UNITS[ago[2]]: int(ago[1])})
    try:
        at = datetime.fromisoformat(text.strip())
    except ValueError:
        message = "How long ago, such as 30m, 2h or 7d, or an instant such as 2030-01-31T08:00+01:00."
        raise PydanticCustomError("moment", message) from None
    return at if at.tzinfo is not None else at.replace(tzinfo=UTC)


MomentText: TypeAlias = Annotated[timedelta | datetime | None, BeforeValidator(_moment)]
"""How long ago, which stays true in an address that is kept; or an instant, in UTC where it names no zone."""

MOMENTS: Final = ("created_from", "created_before", "finished_from", "finished_before")


class JobFilters(BaseModel):
    """What a list of jobs can be asked for, by the names in its address."""

    queue: str | None = None
    state: list[StateFilter] = []
    key: str | None = None
    data: JsonText = UNSET
    created_from: MomentText = None
    created_before: MomentText = None
    finished_from: MomentText = None
    finished_before: MomentText = None


SAVED: Final = (
    ("Failed in the last hour", (("state", "failed"), ("finished_from", "1h"))),
    ("Ran out of time", (("state", "expired"),)),
    ("Active, and created over an hour ago", (("state", "active"), ("created_before", "1h"))),
    ("To be retried", (("state", "retry"),)),
    ("Created today", (("created_from", "24h"),)),
)
"""Filters that everybody finds, as parts of addresses."""


def filters_of(request: Request) -> Form[JobFilters]:
    """The filters in an address."""
    return Form.sent(JobFilters, request.query_params)


async def wanted_jobs(site: Site, form: Form[JobFilters]) -> JobFilter:
    """The jobs that are asked for; the database's clock says what is how long ago.

    Raises:
        ValidationError: something of it is not as it should be; the form says what.
    """
    asked = form.checked()
    now = datetime.fromtimestamp(await site.read(time(site.schema)) / 1000, UTC)
    moments = {name: _instant(name, getattr(asked, name), now) for name in MOMENTS}
    return JobFilter.of(asked.state, queue=asked.queue, key=asked.key, data=asked.data, **moments)


def _instant(name: str, moment: timedelta | datetime | None, now: datetime) -> datetime | None:
    try:
        return now - moment if isinstance(moment, timedelta) else moment
    except OverflowError:
        raise ValidationError(f"{name} is longer ago than there are dates.") from None


def filter_query(form: Form[JobFilters], **more: str | Sequence[str]) -> str:
    """The filters as an address has them, behind its question mark."""
    return urlencode([*form.values.items(), *more.items()], doseq=True)
