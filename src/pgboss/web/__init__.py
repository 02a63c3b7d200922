"""The HTTP API and the dashboard: seeing and steering jobs without SQL.

``app(boss)`` is an ASGI application, to be served by itself or mounted under any path. It needs the extra
``pgboss[web]``. What people and programs are shown is gathered by ``insights/``; what they do goes through the client,
in a transaction that also records who did it. docs/web.md.
"""

from __future__ import annotations

try:
    from pgboss.web.access import ApiKey, Principal
    from pgboss.web.application import app
    from pgboss.web.opening import lifespan
    from pgboss.web.options import WebOptions
    from pgboss.web.serving import show
except ModuleNotFoundError as error:
    if error.name is not None and error.name.startswith("pgboss"):
        raise
    raise ImportError(f"The web application needs {error.name}: pip install 'pgboss[web]'.", name=error.name) from error

__all__ = ["ApiKey", "Principal", "WebOptions", "app", "lifespan", "show"]
