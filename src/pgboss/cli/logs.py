"""Logging as people at a terminal, and those who read a container's output, want it: on stderr, with times."""

from __future__ import annotations

import logging
from enum import StrEnum

__all__ = ["LogLevel", "set_up_logging"]

FORMAT = "%(asctime)s %(levelname)-7s %(name)s: %(message)s"


class LogLevel(StrEnum):
    """What is logged: this, and whatever is worse."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


class NumberedFormatter(logging.Formatter):
    """Says of which of several worker processes a record is."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802  logging's own name
        number = getattr(record, "process_number", None)
        if number is not None:
            record.message = f"[{number}] {record.message}"
        return super().formatMessage(record)


def set_up_logging(level: LogLevel) -> None:
    """Log to stderr from this level on, unless the program has set up logging itself while it was imported."""
    number = logging.getLevelNamesMapping()[level.name]
    root = logging.getLogger()
    if root.handlers:
        logging.getLogger("pgboss").setLevel(number)
        return
    handler = logging.StreamHandler()
    formatter = NumberedFormatter(FORMAT)
    formatter.default_msec_format = "%s.%03d"
    handler.setFormatter(formatter)
    root.addHandler(handler)
    root.setLevel(number)
