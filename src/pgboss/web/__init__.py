"""The HTTP API and the dashboard: seeing and steering jobs without SQL.

``app(boss)`` is an ASGI application, to be served by itself or mounted under any path. It needs the extra
``pgboss[web]``. What people and programs are shown is gathered by ``insights/``; what they do goes through the client,
in a transaction that also records who did it. docs/web.md.
"""

from __future__ import annotations

from pgboss.web.access import Principal
from pgboss.web.application import app
from pgboss.web.options import WebOptions

__all__ = ["Principal", "WebOptions", "app"]
