"""Events that keep what was told, at once, for duties that are tested without an instance around them."""

from __future__ import annotations

from pgboss import WarningEvent
from pgboss.runtime.events import Events

__all__ = ["HeardEvents"]


class HeardEvents(Events):
    """Events without listeners, and with a memory."""

    def __init__(self) -> None:
        super().__init__()
        self.warnings: list[WarningEvent] = []

    def warn(self, warning: WarningEvent) -> None:
        self.warnings.append(warning)
