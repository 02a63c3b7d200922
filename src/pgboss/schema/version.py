"""Which schema version this release speaks, and which ones pg-boss itself can still upgrade."""

from __future__ import annotations

__all__ = ["OLDEST_UPGRADABLE", "SCHEMA_VERSION"]

SCHEMA_VERSION = 46
"""The schema of npm pg-boss 12.38, and the only one whose shared rows we supervise."""

OLDEST_UPGRADABLE = 25
"""The lowest version from which ``npx pg-boss migrate`` still finds its way."""
