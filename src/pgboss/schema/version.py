"""Which schema version this release speaks, and with which older ones it can do something."""

from __future__ import annotations

__all__ = ["OLDEST_FIRED", "OLDEST_UPGRADABLE", "OLDEST_USABLE", "SCHEMA_VERSION"]

SCHEMA_VERSION = 46
"""The schema of npm pg-boss 12.38, which we install, and to which we upgrade."""

OLDEST_USABLE = 36
"""The lowest version that is worked on as it is: that of npm pg-boss 12.25."""

OLDEST_FIRED = 42
"""The lowest version whose schedules are fired: npm pg-boss 12.34 is the first to file each occurrence as we do.

An older one files an occurrence by the time of its pass, so that some would be sent by it and by us.
"""

OLDEST_UPGRADABLE = 25
"""The lowest version from which ``pgboss migrate`` finds its way, and ``npx pg-boss migrate`` too."""
