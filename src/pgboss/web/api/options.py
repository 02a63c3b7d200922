"""Options that queues give their jobs, and jobs may have of their own."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict

__all__ = ["CommonOptions"]


class CommonOptions(BaseModel):
    """What may be said of a queue and of a job; absent ones stay as they are, or as the queue says."""

    model_config = ConfigDict(extra="forbid")

    retry_limit: int | None = None
    retry_delay: int | None = None
    retry_backoff: bool | None = None
    retry_delay_max: int | None = None
    expire_in_seconds: int | None = None
    retention_seconds: int | None = None
    delete_after_seconds: int | None = None
    heartbeat_seconds: int | None = None
    dead_letter: str | None = None

    def given(self) -> dict[str, Any]:
        return self.model_dump(exclude_unset=True)
