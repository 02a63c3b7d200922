"""The expected catalog is what our own DDL gives on this server."""

from __future__ import annotations

import importlib.util
from pathlib import Path

TOOL = Path(__file__).parent.parent.parent / "tools" / "schema_manifest.py"


def test_the_manifest_is_fresh(database_url: str) -> None:
    specification = importlib.util.spec_from_file_location("schema_manifest", TOOL)
    assert specification is not None
    assert specification.loader is not None
    tool = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(tool)

    assert tool.read_manifest(database_url) == tool.MANIFEST.read_text(encoding="utf-8"), (
        "Run python tools/schema_manifest.py"
    )
