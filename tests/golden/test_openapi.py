"""The document of the HTTP API: what programs in other languages are written against."""

from __future__ import annotations

import json

from pgboss import PgBoss
from pgboss.web import app
from support.golden import check_golden


def test_openapi() -> None:
    document = app(PgBoss("postgresql://nowhere/nothing", work=False)).openapi()
    # Every release has another one.
    document["info"]["version"] = "0"
    check_golden("openapi.json", json.dumps(document, indent=1, sort_keys=True))
