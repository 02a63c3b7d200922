"""Which schema version this release speaks, and with which older ones it can do something."""

from __future__ import annotations

__all__ = ["OLDEST_UPGRADABLE", "OLDEST_USABLE", "SCHEMA_VERSION"]

SCHEMA_VERSION = 46
"""The schema of npm pg-boss 12.38, which we install, and to which we upgrade."""

OLDEST_USABLE = 36
"""The lowest version that is worked on as it is: that of npm pg-boss 12.25."""

OLDEST_UPGRADABLE = 25
"""The lowest version from which ``pgboss migrate`` finds its way, and ``npx pg-boss migrate`` too."""
