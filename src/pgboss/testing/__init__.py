"""For the tests of those who use pgboss: draining, inline mode, test clocks, spies, and a pytest plugin.

docs/testing.md shows how. The fixtures are in :mod:`pgboss.testing.plugin`, which pytest loads by itself.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pgboss.boss.spies import JobSpy, SpiedJob
    from pgboss.testing.clock import SyncTestClock, TestClock
    from pgboss.testing.draining import drain
    from pgboss.testing.inlining import inline
    from pgboss.testing.rounds import DrainLimitError, Ran
    from pgboss.testing.sync import sync_drain, sync_inline

__all__ = [
    "DrainLimitError",
    "JobSpy",
    "Ran",
    "SpiedJob",
    "SyncTestClock",
    "TestClock",
    "drain",
    "inline",
    "sync_drain",
    "sync_inline",
]

# Imported when first asked for: pytest loads the plugin, and with it this package, in every test run of its users.
_HOME_OF = {
    "DrainLimitError": "pgboss.testing.rounds",
    "JobSpy": "pgboss.boss.spies",
    "Ran": "pgboss.testing.rounds",
    "SpiedJob": "pgboss.boss.spies",
    "SyncTestClock": "pgboss.testing.clock",
    "TestClock": "pgboss.testing.clock",
    "drain": "pgboss.testing.draining",
    "inline": "pgboss.testing.inlining",
    "sync_drain": "pgboss.testing.sync",
    "sync_inline": "pgboss.testing.sync",
}

if not TYPE_CHECKING:  # a type checker would take every misspelt name for one of ours

    def __getattr__(name: str) -> object:
        if name not in _HOME_OF:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        value = getattr(import_module(_HOME_OF[name]), name)
        globals()[name] = value
        return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
