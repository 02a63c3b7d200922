"""The list of pages by which others test them is that of the application."""

from __future__ import annotations

from starlette.routing import Match, Route

from pgboss.web.dashboard import VIEWS
from support.pages import UNLISTED, addresses, at


def test_no_page_is_forgotten() -> None:
    routes = [route for view in VIEWS for route in view.router.routes if isinstance(route, Route)]
    ids = dict.fromkeys(("failed", "completed", "flow", "dead letter"), "1")
    seen = set()
    for address in addresses():
        path = at(address, ids, queue="mail", cause="none").partition("?")[0]
        scope = {"type": "http", "method": "GET", "path": path, "headers": []}
        seen.add(next((route.path for route in routes if route.matches(scope)[0] is Match.FULL), f"no page at {path}"))

    assert seen | UNLISTED == {route.path for route in routes if "GET" in (route.methods or ())}
