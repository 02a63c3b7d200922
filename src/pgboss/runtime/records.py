"""Log records of a spawned process, which come out where the process that started it logs, with their ``extra``."""

from __future__ import annotations

import copy
import datetime
import decimal
import logging
import os
import uuid
from collections.abc import Callable, Mapping
from typing import Any

__all__ = ["Levels", "RecordSender", "levels_here", "log_here", "log_through"]

DEEPEST = 6
_PLAIN = (str, int, float, bool, bytes, type(None), uuid.UUID, decimal.Decimal)
_TIMES = (datetime.datetime, datetime.date, datetime.time, datetime.timedelta)

Levels = tuple[int, Mapping[str, int]]
"""Below which level nothing is logged at all, and the levels of the loggers that have one."""


def levels_here() -> Levels:
    """The levels of this process, so that another one sends no records that nobody wants."""
    loggers = {"": logging.root.level} | {
        name: logger.level
        for name, logger in list(logging.root.manager.loggerDict.items())
        if isinstance(logger, logging.Logger) and logger.level
    }
    return logging.root.manager.disable, loggers


def log_through(handler: logging.Handler, levels: Levels) -> None:
    """Let everything that is logged in this process go through one handler and no other.

    To be called again when modules have been imported: some set up logging of their own, which the other process has
    done too.
    """
    disabled, loggers = levels
    logging.disable(disabled)
    for logger in [logging.root, *logging.root.manager.loggerDict.values()]:
        if isinstance(logger, logging.Logger):
            logger.handlers = [handler] if logger is logging.root else []
            logger.propagate = True
    for name, level in loggers.items():
        logging.getLogger(name).setLevel(level)


def log_here(fields: Mapping[str, Any], **extra: Any) -> None:
    """Log a record of another process, by the rules of this one."""
    record = logging.makeLogRecord({**fields, **extra})
    logger = logging.getLogger(record.name)
    if logger.isEnabledFor(record.levelno):
        logger.handle(record)


class RecordSender(logging.Handler):
    """Sends records: with their message made, their traceback as text, and of their extra what is plain data."""

    def __init__(self, send: Callable[[object], None]) -> None:
        super().__init__()
        self._send = send
        self._pid = os.getpid()

    def emit(self, record: logging.LogRecord) -> None:
        if os.getpid() != self._pid:
            # Forked from our process: what two of them write to one socket gets mixed up.
            if logging.lastResort is not None:
                logging.lastResort.handle(record)
            return
        try:
            self._send(("log", self._fields(record)))
        except Exception:  # noqa: BLE001  what the logging module asks of handlers
            self.handleError(record)

    def _fields(self, record: logging.LogRecord) -> dict[str, Any]:
        sent = copy.copy(record)
        sent.msg, sent.args = record.getMessage(), None
        if sent.exc_info and not sent.exc_text:
            sent.exc_text = logging.Formatter().formatException(sent.exc_info)
        sent.exc_info = None
        return {name: _plain(value) for name, value in vars(sent).items()}


def _plain(value: object, depth: int = DEEPEST) -> object:
    """Data as it is, and anything else as text: the other process should not have to import what made it."""
    kind = type(value)
    if kind in _PLAIN or kind in _TIMES:
        return value
    if depth and kind is dict:
        assert isinstance(value, dict)
        return {_plain(key, 0): _plain(inner, depth - 1) for key, inner in value.items()}
    if depth and kind in (list, tuple, set, frozenset):
        assert isinstance(value, list | tuple | set | frozenset)
        plain = [_plain(inner, 0 if kind in (set, frozenset) else depth - 1) for inner in value]
        return plain if kind is list else tuple(plain)
    try:
        return str(value)
    except Exception:  # noqa: BLE001  a foreign __str__ may raise anything
        return f"<{kind.__name__}>"
