"""What every route refuses: those whom nobody knows, and changes by those who may only look.

The routes are those of the document itself, so a new one is asked without being listed here.
"""

from __future__ import annotations

import pytest

from pgboss import PgBoss
from pgboss.web import Principal, WebOptions, app
from support.web import LOOKING, calling, filled, routes

OPEN = {"/health", "/ready"}


@pytest.mark.parametrize(("method", "path"), routes())
async def test_nobody(boss: PgBoss, method: str, path: str) -> None:
    async with calling(app(boss, WebOptions(authenticate=lambda connection: None))) as client:
        answer = await client.request(method, filled(path))
    assert (answer.status_code == 401) == (path not in OPEN)


@pytest.mark.parametrize(
    ("method", "path"), [(method, path) for method, path in routes() if method != "get" and path not in LOOKING]
)
async def test_somebody_who_may_only_look(boss: PgBoss, method: str, path: str) -> None:
    options = WebOptions(authenticate=lambda connection: Principal("eve", "read"))
    async with calling(app(boss, options)) as client:
        answer = await client.request(method, filled(path))
    assert (answer.status_code, answer.json()["error"]) == (403, "read_only")
