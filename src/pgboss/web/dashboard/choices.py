"""What forms offer to choose from, where any other text would do as well."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from zoneinfo import available_timezones

from pgboss.core.names import INTERNAL_PREFIX
from pgboss.web.site import Site

__all__ = ["queue_names", "zone_names"]

MOST_QUEUES = 1000


async def queue_names(site: Site) -> Sequence[str]:
    """The first queues in name order, without pg-boss's own."""
    async with site.reading() as connection:
        queues = await site.boss.get_queues(limit=MOST_QUEUES, connection=connection)
    return [queue.name for queue in queues if not queue.name.startswith(INTERNAL_PREFIX)]


@cache
def zone_names() -> Sequence[str]:
    """Time zones that people mean when they name one."""
    places = (name for name in available_timezones() if "/" in name and not name.startswith("Etc/"))
    return ["UTC", *sorted(places)]
